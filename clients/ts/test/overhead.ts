// What the layer costs over the bare generated client, both on a running service (GOVERNANCE_GRPC_ADDR, GOVERNANCE_TOKEN of
// role bot): prints it, and fails from 10 % on.
//
// Two figures are judged, both by the quieter half of the runs, for other processes only ever add to them: the time, and
// the CPU of this process that the layer takes more, as a share of the bare call's shortest time: what it would add if the
// service waited for it. Runs alternate, and what is sent is made before. The layer's files are in memory, where the machine
// has a folder there: what a disk adds, to keep what the bare call would lose, is the disk's, and is printed apart.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { connectTo, openGate, openRecorder } from "polytraders-governance-client";
import { ParameterChangeAuditorService, UserActivityLedgerService } from "polytraders-governance-client/v1";

const limit = 0.1;
const tries = 3;
const [calls, rounds, warmUps] = [300, 8, 3];
const [batches, batchSize] = [20, 500];

const { GOVERNANCE_GRPC_ADDR: address = "127.0.0.1:50051", GOVERNANCE_TOKEN: token = "" } = process.env;
const connection = connectTo(address, { token });
const bases = [existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), tmpdir()];
const folders = await Promise.all(bases.map((base) => mkdtemp(join(base, "governance-ts-"))));

/** Makes what is to be sent; what it returns sends that. */
type Way = () => () => Promise<unknown>;
type Took = { readonly wallMs: number[]; readonly cpuMs: number[] };

const quiet = (values: readonly number[]) =>
  [...values].sort((one, other) => one - other)[Math.floor((values.length + 1) / 4)] ?? Number.NaN;
const percent = (share: number) => `${share < 0 ? "" : "+"}${(100 * share).toFixed(1)} %`;

/** The bare call, and the layer with its files in memory and on a disk. */
async function compare(what: string, count: number, ways: readonly Way[]): Promise<void> {
  // Until the compiler has seen to all of it.
  for (let turn = 0; turn < warmUps; turn++) for (const way of ways) await way()();
  for (let attempt = 0; attempt < tries; attempt++) {
    const took: readonly Took[] = ways.map(() => ({ wallMs: [], cpuMs: [] }));
    for (let turn = 0; turn < count * ways.length; turn++) {
      // Who is first takes turns, too.
      const which = (turn + Math.floor(turn / ways.length)) % ways.length;
      const run = ways[which]?.();
      const [started, before] = [performance.now(), process.cpuUsage()];
      await run?.();
      const { user, system } = process.cpuUsage(before);
      took[which]?.wallMs.push(performance.now() - started);
      took[which]?.cpuMs.push((user + system) / 1000);
    }
    const [bare, inMemory, onDisk] = took;
    if (bare === undefined || inMemory === undefined || onDisk === undefined) throw new Error("three ways");
    const [base, layer] = [quiet(bare.wallMs), quiet(inMemory.wallMs)];
    const longer = layer / base - 1;
    const cpu = (quiet(inMemory.cpuMs) - quiet(bare.cpuMs)) / Math.min(...bare.wallMs);
    const disk = (quiet(onDisk.wallMs) - layer) / base;
    const times = `bare ${base.toFixed(2)} ms, layer ${layer.toFixed(2)} ms, ${percent(longer)}`;
    console.log(`${what}: ${times}; its CPU ${percent(cpu)}; its files on a disk ${percent(disk)}`);
    if (Math.max(longer, cpu) < limit) return;
  }
  process.exitCode = 1;
}

const auditor = createClient(ParameterChangeAuditorService, connection);
const gates = await Promise.all(folders.map((folder) => openGate(connection, join(folder, "gate"))));
const change = { botSlug: "ts.overhead", paramName: "x", editorId: "a", newValueJson: "1" };
await compare("CheckWrite, a call", calls, [
  () => () => auditor.checkWrite({ ...change, writeId: randomUUID() }, { timeoutMs: 500 }),
  ...gates.map(
    (gate): Way =>
      () =>
      () =>
        gate.checkWrite(change),
  ),
]);
for (const gate of gates) await gate.close();

function made() {
  const session = randomUUID();
  const action = (number: number) => ({
    eventId: `${session}-${number}`,
    wallet: `0x${"3".repeat(40)}`,
    sessionId: session,
    actionType: "HALT",
    paramsJson: '{"size":"1.5"}',
  });
  return Array.from({ length: batches }, (_, batch) =>
    Array.from({ length: batchSize }, (_, index) => action(batch * batchSize + index)),
  );
}

const ledger = createClient(UserActivityLedgerService, connection);
async function* bare(all: ReturnType<typeof made>) {
  yield { message: { case: "open" as const, value: { streamId: randomUUID() } } };
  for (const [number, actions] of all.entries()) {
    yield {
      message: { case: "batch" as const, value: { firstOffset: BigInt(number * batchSize + 1), actions } },
    };
  }
}
const recorders = await Promise.all(
  folders.map((folder) => openRecorder(connection, join(folder, "recorder"))),
);
await compare(`StreamUserActions, ${batches * batchSize} events`, rounds, [
  () => {
    const all = made();
    return async () => {
      let answers = 0;
      for await (const _ of ledger.streamUserActions(bare(all))) answers++;
      if (answers !== batches + 1) throw new Error(`${answers} answers`);
    };
  },
  ...recorders.map(
    (recorder): Way =>
      () => {
        const all = made();
        return async () => {
          for (const actions of all) await recorder.recordActions(actions);
          await recorder.flush();
        };
      },
  ),
]);
for (const recorder of recorders) await recorder.close();
connection.close();
for (const folder of folders) await rm(folder, { recursive: true });
