import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { RecordOutcome } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { type CliRun, runCli } from "../support/cli.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../support/proxy.ts";
import { write } from "./auditor/writes.ts";
import { action } from "./ledger/actions.ts";
import { poison } from "./spool/spooling.ts";
import { type Command, start } from "./start/command.ts";
import { clientOf, settingsFor } from "./start/serving.ts";

// Processes start slowly on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const running = new AsyncDisposableStack();
let database: TestDatabase;
let proxy: DatabaseProxy;
let replica: Command;
let dataDir: string;
let keyFile: string;

beforeAll(async () => {
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-orphan-")));
  dataDir = join(folder.path, "data");
  keyFile = join(folder.path, "scrub.key");
  replica = running.use(
    start(
      settingsFor(dataDir, {
        DATABASE_URL: proxy.through(database.url("service")),
        GOVERNANCE_SCRUB_KEY_FILE: keyFile,
      }),
    ),
  );
  const bot = await clientOf(replica, dataDir, UserActivityLedgerService, "bot");
  const store = await clientOf(replica, dataDir, ParameterChangeAuditorService, "config-store");
  await bot.recordUserAction(action("before"));
  await store.checkWrite(write("before"));
  proxy.cut();
  for (let n = 0; n < 10; n++) {
    const { outcome } = await bot.recordUserAction(action(n === 7 ? "poison" : `orphan_${n}`));
    expect(outcome).toBe(RecordOutcome.BUFFERED);
  }
  for (let n = 0; n < 5; n++) await store.checkWrite(write("orphan", { newValueJson: `${n}` }));
  // On record already, so it folds.
  expect((await bot.recordUserAction(action("before"))).outcome).toBe(RecordOutcome.BUFFERED);
});
afterAll(() => running.disposeAsync());

function drain(env: NodeJS.ProcessEnv = {}, ...more: string[]): Promise<CliRun> {
  const settings = { DATABASE_URL: database.url("service"), GOVERNANCE_SCRUB_KEY_FILE: keyFile };
  return runCli(["spool", "drain", dataDir, ...more], { env: { ...settings, ...env } });
}

async function onRecord(): Promise<{ events: string[]; values: string[] }> {
  const events = await database.query<{ event_id: string }>(
    "superuser",
    "select event_id from ledger.user_action order by epoch, xid, ord",
  );
  const values = await database.query<{ value: string }>(
    "superuser",
    "select new_value_json as value from auditor.parameter_change where param_name = 'orphan' order by epoch, xid, ord",
  );
  return { events: events.map((row) => row.event_id), values: values.map((row) => row.value) };
}

test("show tells what waits in the spool of a replica that runs", async () => {
  const run = await runCli(["spool", "show", "--json"], { env: { GOVERNANCE_DATA_DIR: dataDir } });
  expect([run.exitCode, run.stderr]).toEqual([0, ""]);
  expect(JSON.parse(run.stdout)).toMatchObject({
    held: [
      { bot: "gov.parameterchangeauditor", journal: "auditor", entries: 5, refused: 0 },
      { bot: "gov.useractivityledger", journal: "ledger", entries: 11, refused: 0 },
    ],
    outages: [{ buffered: 5 }, { buffered: 11 }],
    ended: [],
    quarantine: [],
  });
  const table = await runCli(["spool", "show", "--dir", dataDir]);
  expect(table.stdout).toMatch(/gov\.useractivityledger +ledger +11 /);
  expect(table.stderr).toContain("gov.useractivityledger: without its database since 20");
});

test("a folder whose replica lives is left alone", async () => {
  for (const args of [
    ["drain", dataDir],
    ["retry", "--dir", dataDir],
  ]) {
    const run = await runCli(["spool", ...args], { env: { DATABASE_URL: database.url("service") } });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(`is in use by another governance process (pid ${replica.pid})`);
  }
});

test("the spool of a killed replica is drained, each record once, and what is refused stays until it is retried", async () => {
  process.kill(replica.pid, "SIGKILL");
  await replica.ended;
  await poison(database, "poison");

  const first = await drain();
  expect(first.stderr).toContain("the database refuses 1 records; they stay in the spool");
  expect(first.exitCode).toBe(5);
  expect(first.stdout.split("\n").toSorted()).toEqual([
    "",
    "gov.parameterchangeauditor: 5 records were buffered: 5 recorded, 0 on record before, 0 in conflict, 0 refused, 0 lost",
    "gov.useractivityledger: 11 records were buffered: 9 recorded, 1 on record before, 0 in conflict, 1 refused, 0 lost",
  ]);
  const events = ["before", ...[0, 1, 2, 3, 4, 5, 6, 8, 9].map((n) => `orphan_${n}`)];
  expect(await onRecord()).toEqual({ events, values: ["0", "1", "2", "3", "4"] });

  await database.query("superuser", "drop trigger poison on ledger.user_action");
  const idle = await drain();
  expect([idle.exitCode, idle.stdout]).toEqual([5, "nothing waits\n"]);
  const retried = await runCli(["spool", "retry", "--dir", dataDir]);
  expect([retried.exitCode, retried.stdout.slice(0, 28)]).toEqual([0, "1 refused records wait again"]);
  const second = await drain({}, "--json");
  expect(second.exitCode).toBe(0);
  expect(JSON.parse(second.stdout)).toMatchObject({
    outages: [{ buffered: 1, flushed: 1 }],
    left: 0,
    refused: 0,
  });
  expect((await onRecord()).events).toEqual([...events, "poison"]);

  const third = await drain();
  expect([third.exitCode, third.stdout]).toEqual([0, "nothing waits\n"]);
  const recoveries = await database.query("superuser", "select bot from log.recovery");
  expect(recoveries).toHaveLength(3);
});

test("what it cannot begin with, it says", async () => {
  const said = async (run: Promise<CliRun>) => {
    const { exitCode, stderr } = await run;
    expect(exitCode).toBe(1);
    return stderr;
  };
  expect(await said(drain({ DATABASE_URL: "" }))).toContain("DATABASE_URL: is not set");
  const gone = proxy.through(database.url("service"));
  expect(await said(drain({ DATABASE_URL: gone }))).toContain("DATABASE_URL: cannot connect");
  expect(await said(drain({ GOVERNANCE_SCRUB_KEY_FILE: "" }))).toContain("scrub.key is not there");
  const otherKey = join(dataDir, "development-token.key");
  expect(await said(drain({ GOVERNANCE_SCRUB_KEY_FILE: otherKey }))).toContain("64 hexadecimal digits");
  expect(await said(runCli(["spool", "show", "--dir", join(dataDir, "x")]))).toContain("holds no spool");
});
