import { mkdtempDisposable, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService } from "../../support/service.ts";
import { action } from "../ledger/actions.ts";
import { drained } from "./spooling.ts";

let running: AsyncDisposableStack;
let database: TestDatabase;
let proxy: DatabaseProxy;
let env: NodeJS.ProcessEnv;
let spool: string;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-damaged-")));
  spool = join(folder.path, "data", "spool");
  env = {
    DATABASE_URL: proxy.through(database.url("service")),
    GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key"),
    GOVERNANCE_DATA_DIR: join(folder.path, "data"),
  };
  await using service = await startTestService({ database, env });
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("before"));
  proxy.cut();
  for (let n = 0; n < 10; n++) {
    expect((await bot.recordUserAction(action(`evt_${n}`))).outcome).toBe(RecordOutcome.BUFFERED);
  }
});
afterEach(() => running.disposeAsync());

/** Starts the service with Postgres back, and answers what is on record once nothing waits, and what it logged. */
async function startAgain() {
  proxy.mend();
  const lines = new PassThrough();
  let logged = "";
  lines.on("data", (text) => {
    logged += text;
  });
  await using service = await startTestService({ database, env, log: pino(lines) });
  await drained(service);
  const recoveries = () =>
    database.query<{ flushed: number; lost: number | null }>(
      "superuser",
      "select flushed::int, lost::int from log.recovery where bot = 'gov.useractivityledger'",
    );
  await expect.poll(recoveries).toHaveLength(1);
  const events = await database.query<{ event_id: string }>(
    "superuser",
    "select event_id from ledger.user_action where event_id like 'evt%' order by epoch, xid, ord",
  );
  const said = logged.split("\n").find((line) => line.includes("SPOOL_DAMAGED"));
  return {
    events: events.map((row) => row.event_id),
    recovery: (await recoveries())[0],
    said: said === undefined ? undefined : JSON.parse(said),
  };
}

test("a record that is damaged is told as lost, and all others arrive", async () => {
  const path = join(spool, "spool.db");
  const bytes = await readFile(path);
  const at = bytes.indexOf('"evt_4"');
  expect(at).toBeGreaterThan(0);
  bytes[at + 2] = 0x58;
  await writeFile(path, bytes);
  const { events, recovery, said } = await startAgain();
  expect(events).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9].map((n) => `evt_${n}`));
  expect(recovery).toEqual({ flushed: 9, lost: 1 });
  expect(said).toMatchObject({ page: true, kept: 9, lost: 1, why: "an entry is not as it was written" });
});

test("a spool of which nothing is left but that it was one is told too, and the service starts", async () => {
  for (const name of ["spool.db", "spool.db-wal", "spool.db-shm"])
    await rm(join(spool, name), { force: true });
  await writeFile(join(spool, "acknowledged"), "garbage");
  const { events, recovery, said } = await startAgain();
  expect(events).toEqual([]);
  expect(recovery).toEqual({ flushed: 0, lost: null });
  expect(said).toMatchObject({ kept: 0, lost: null, why: "the file is gone" });
});
