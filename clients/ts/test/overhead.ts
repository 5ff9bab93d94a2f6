// How much the layer costs over the bare generated client, in turns on one connection to the real service:
// node run.mjs node out/test/overhead.js [writes] [rounds]; OVERHEAD_FOLDER is where the layer keeps its files.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { connectTo, openGate, openRecorder } from "polytraders-governance-client";
import { ParameterChangeAuditorService, UserActivityLedgerService } from "polytraders-governance-client/v1";
import { actionOf, address, botToken, change } from "./support.js";

const [writes = 1_000, rounds = 8] = process.argv.slice(2).map(Number);
const connection = connectTo(address, { token: botToken });
const folder = await mkdtemp(join(process.env.OVERHEAD_FOLDER ?? tmpdir(), "governance-ts-"));

/** Medians of the two, who is first taking turns, too. The first round is a warm-up. */
async function compare(what: string, count: number, bare: () => Promise<void>, layer: () => Promise<void>) {
  const took: [number[], number[]] = [[], []];
  for (let round = 0; round < count; round++) {
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const started = performance.now();
      await (which === 0 ? bare() : layer());
      took[which].push(performance.now() - started);
    }
  }
  const [of, on] = took.map((all) => all.slice(1).sort((a, b) => a - b)[Math.floor((count - 1) / 2)] ?? 0);
  const percent = 100 * ((on ?? 0) / (of ?? 1) - 1);
  console.log(
    `${what}: bare ${of?.toFixed(2)} ms, layer ${on?.toFixed(2)} ms, overhead ${percent.toFixed(1)} %`,
  );
}

const auditor = createClient(ParameterChangeAuditorService, connection);
const gate = await openGate(connection, join(folder, "gate"));
await compare(
  "CheckWrite",
  writes,
  async () => void (await auditor.checkWrite({ ...change(), writeId: randomUUID() }, { timeoutMs: 500 })),
  async () => void (await gate.checkWrite(change())),
);
await gate.close();

const [batches, batchSize] = [20, 500];
const all = (session: string) =>
  Array.from({ length: batches }, (_, batch) =>
    Array.from({ length: batchSize }, (_, index) => actionOf(session, batch * batchSize + index + 1)),
  );
const ledger = createClient(UserActivityLedgerService, connection);
const recorder = await openRecorder(connection, join(folder, "recorder"));

type Push = (batch: ReturnType<typeof actionOf>[]) => void;
let push: Push = () => {};
async function* requests() {
  yield { message: { case: "open" as const, value: { streamId: randomUUID() } } };
  for (let offset = 1n; ; offset += BigInt(batchSize)) {
    const actions = await new Promise<ReturnType<typeof actionOf>[]>((resolve) => {
      push = resolve;
      const next = queue.shift();
      if (next !== undefined) resolve(next);
    });
    yield { message: { case: "batch" as const, value: { firstOffset: offset, actions } } };
  }
}
const queue: ReturnType<typeof actionOf>[][] = [];
const giveUp = new AbortController();
const answers = ledger.streamUserActions(requests(), { signal: giveUp.signal })[Symbol.asyncIterator]();
await answers.next();
await compare(
  `${batches} batches of ${batchSize} actions`,
  rounds,
  async () => {
    const [first = [], ...rest] = all(randomUUID());
    queue.push(...rest);
    push(first);
    for (let batch = 0; batch < batches; batch++) await answers.next();
  },
  async () => {
    for (const actions of all(randomUUID())) await recorder.recordActions(actions);
    await recorder.flush();
  },
);
await recorder.close();
giveUp.abort();
connection.close();
await rm(folder, { recursive: true });
