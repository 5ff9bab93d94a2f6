import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { expectTrailerToProve, readExport } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action } from "./actions.ts";

let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  service = await startTestService({ limits: { exportCatchUpMs: 400, listCatchUpMs: 200 } });
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

/** Somebody else's write transaction, open for as long as the test wants. */
async function openTransaction(): Promise<AsyncDisposable> {
  const client = new pg.Client({ connectionString: service.database.url("superuser") });
  await client.connect();
  await client.query("begin");
  await client.query("select pg_current_xact_id()");
  return {
    async [Symbol.asyncDispose]() {
      await client.query("rollback");
      await client.end();
    },
  };
}

test("while a foreign write transaction is open, readers are told that the log is behind, never given less", async () => {
  await bot.recordUserAction(action("held_before", { sessionId: "held" }));
  expect((await readExport(compliance.exportUserActions({ sessionId: "held" }))).lines).toHaveLength(1);
  {
    await using _held = await openTransaction();
    await bot.recordUserAction(action("held_during", { sessionId: "held" }));
    const behind = { code: "Unavailable", reason: "LOG_BEHIND" };
    const startedMs = performance.now();
    expect(await refusalOf(readExport(compliance.exportUserActions({ sessionId: "held" })))).toMatchObject(
      behind,
    );
    expect(performance.now() - startedMs, "it waited first").toBeGreaterThanOrEqual(400);
    expect(await refusalOf(compliance.listUserActions({ sessionId: "held" }))).toMatchObject(behind);
  }
  const { lines } = await readExport(compliance.exportUserActions({ sessionId: "held" }));
  expect(lines.map((line) => JSON.parse(line).event_id)).toEqual(["held_before", "held_during"]);
});

test("a transaction that ends in time only holds readers up", async () => {
  const held = await openTransaction();
  await bot.recordUserAction(action("held_up", { sessionId: "held up" }));
  const reading = readExport(compliance.exportUserActions({ sessionId: "held up" }));
  await sleep(100);
  await held[Symbol.asyncDispose]();
  expect((await reading).lines).toHaveLength(1);
});

test("an idle log reaches its head without writing, and reading does not hold itself up", async () => {
  const [before] = await service.database.query("superuser", "select horizon::text from log.state");
  await Promise.all(Array.from({ length: 10 }, () => compliance.listUserActions({})));
  const [after] = await service.database.query("superuser", "select horizon::text from log.state");
  expect(after).toEqual(before);
});

const rows = 1_000;
const exportBytes = rows * 60_000;

/** Records of nearly the largest size there is, as if recorded, in one transaction. */
async function fillLedger(): Promise<void> {
  await service.database.query(
    "superuser",
    `insert into ledger.user_action (accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id,
       action_type, recorded_by, params_json)
     select now(), 1, n, '2040-01-01', 'r' || n, 'bulk_' || n, $1, 'bulk', 'HALT', 'filler',
       '{"filler":"' || repeat(md5(n::text), 1875) || '"}'
     from generate_series(1, $2) n`,
    [`0x${"a".repeat(40)}`, rows],
  );
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** What this process, service and reader in one, cannot let go of. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test("a slow reader holds the export back: memory stays bounded, and nothing is lost", async () => {
  await fillLedger();
  await compliance.listUserActions({ pageSize: 1 }); // Places them, which is not what is measured.

  let peakBytes = 0;
  let paused = false;
  async function* slowly() {
    const before = heldBytes();
    for await (const part of compliance.exportUserActions({ sessionId: "bulk" })) {
      if (!paused) {
        paused = true;
        for (let i = 0; i < 10; i++) {
          await sleep(50);
          peakBytes = Math.max(peakBytes, heldBytes() - before);
        }
      }
      yield part;
    }
  }
  const received = await readExport(slowly());
  expectTrailerToProve(received);
  expect(received.lines).toHaveLength(rows);
  expect(received.bytes.length).toBeGreaterThan(exportBytes);
  expect(peakBytes, "held while nobody read").toBeLessThan(exportBytes / 2);
});
