import { readFile } from "node:fs/promises";
import pg from "pg";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { createRecordIds } from "../../../src/recordIds.ts";
import { connectAdministrator } from "../../../src/retention/administrator.ts";
import { createPurge } from "../../../src/retention/purge.ts";
import { schedulePurge } from "../../../src/retention/schedule.ts";
import { monthlyTables } from "../../../src/retention/tables.ts";
import { stoppedClock } from "../../support/clock.ts";
import { collect } from "../../support/exportReader.ts";
import { logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { action, otherWallet } from "../ledger/actions.ts";
import { makeOlder, monthsOf, outOfReach, type Past, startPast } from "./past.ts";

/** A run's steps for one table, without those of months that nobody wrote into. */
async function purged(past: Past, table: string, dryRun = false) {
  past.comeBack();
  const { run } = await past.operating.runPurge({ dryRun });
  return (run?.steps ?? [])
    .filter((step) => step.table === table && step.records + step.heldRecords > 0n)
    .map(({ month, action, records, retainedUntil }) => ({
      month,
      action,
      records: Number(records),
      retainedUntil,
    }));
}

test("a month whose every record is past its retention is detached, and dropped a week later", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old_1");
  await past.act("2016-01-31T23:59:59.999999Z", "old_2");
  past.comeBack();
  await past.bot.recordUserAction(action("new"));
  const { run } = await past.operating.runPurge({});
  expect(run).toMatchObject({
    dryRun: false,
    startedBy: "oscar",
    runId: expect.stringMatching(/^prg_\w{26}$/),
  });
  expect(run?.steps).toContainEqual(
    expect.objectContaining({
      table: "ledger.user_action",
      month: "2016-01",
      action: "DETACHED",
      records: 2n,
      heldRecords: 0n,
      retainedUntil: "2023-01-31",
    }),
  );
  expect(await past.eventIds()).toEqual(["new"]);
  expect(await outOfReach(past.database)).toContain("ledger_user_action_2016_01");
  await expect(
    past.database.query("service", "select from purged.ledger_user_action_2016_01"),
  ).rejects.toThrow("permission denied for schema purged");

  await makeOlder(
    past.database,
    "maintenance.detached_partition",
    "detached_at",
    "6 days 23 hours 59 minutes",
  );
  expect((await past.operating.runPurge({})).run?.steps).toEqual([]);
  await makeOlder(past.database, "maintenance.detached_partition", "detached_at", "2 minutes");
  expect(await purged(past, "ledger.user_action")).toEqual([
    { month: "2016-01", action: "DROPPED", records: 2, retainedUntil: "2023-01-31" },
  ]);
  expect(await outOfReach(past.database)).toEqual([]);
});

test("fills, links, calls that read and parameter changes go with their months, each after its own time", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "traced", { traceId: "trace" });
  await past.bot.recordExecutionReport({
    fillId: "fill",
    traceId: "trace",
    status: "MATCHED",
    size: "1",
    price: "0.5",
  });
  await past.change("2016-01-11T12:00:00Z", "limit");
  await past.eventIds();
  await past.change("2022-03-01T12:00:00Z", "limit");
  const old = { month: "2016-01", action: "DETACHED" };
  past.comeBack();
  const steps = (await past.operating.runPurge({})).run?.steps ?? [];
  const taken = steps.filter(({ records }) => records > 0n);
  expect(
    taken.map(({ table, month, action, records }) => ({ table, month, action, records: Number(records) })),
  ).toEqual([
    { table: "ledger.user_action", ...old, records: 1 },
    { table: "ledger.fill_report", ...old, records: 1 },
    { table: "ledger.fill_link", ...old, records: 1 },
    { table: "access.read_log", ...old, records: 1 },
    { table: "auditor.parameter_change", ...old, records: 1 },
    { table: "auditor.parameter_change", month: "2022-03", action: "DETACHED", records: 1 },
  ]);
});

test("a month with one record that is not past its retention yet is kept whole", async () => {
  await using past = await startPast();
  const [, month] = monthSevenYearsAgo();
  await past.act(`${month}-01T00:00:00Z`, "first");
  await past.act(lastMomentOf(month), "last");
  expect(await purged(past, "ledger.user_action")).toEqual([]);
  expect(await past.eventIds()).toEqual(["first", "last"]);
});

/** The month before the one that is seven years ago, and that one. */
function monthSevenYearsAgo(): [string, string] {
  const now = new Date();
  const monthAt = (back: number) =>
    new Date(Date.UTC(now.getUTCFullYear() - 7, now.getUTCMonth() - back, 1)).toISOString().slice(0, 7);
  return [monthAt(1), monthAt(0)];
}

function lastMomentOf(month: string): string {
  const [year = 0, number = 0] = month.split("-").map(Number);
  return `${new Date(Date.UTC(year, number, 1) - 1).toISOString().slice(0, 19)}.999999Z`;
}

test("a month goes as soon as it is wholly past: the one before that which is seven years ago", async () => {
  await using past = await startPast();
  const [before] = monthSevenYearsAgo();
  await past.act(`${before}-01T00:00:00Z`, "first");
  past.comeBack();
  // The month's last day is past once the month is: today is at least the next month's first.
  const steps = await purged(past, "ledger.user_action");
  expect(steps).toMatchObject([{ month: before, action: "DETACHED", records: 1 }]);
});

describe("retain_days", () => {
  const config = (days: number) => `gov.useractivityledger: { retain_days: ${days} }`;

  test("raised after a record was accepted keeps it longer, says so, and lowered again still does (R1)", async () => {
    await using past = await startPast();
    await past.act("2016-01-10T12:00:00Z", "old");
    const note = (days: number, at: string) =>
      past.database.query(
        "service",
        "select maintenance.note_retain_days('gov.useractivityledger', $1, $2)",
        [days, at],
      );
    await note(7300, "2017-01-01T00:00:00Z");
    await note(2555, "2018-01-01T00:00:00Z");
    await past.act("2018-02-01T12:00:00Z", "after both");
    expect(await purged(past, "ledger.user_action")).toEqual([
      { month: "2018-02", action: "DETACHED", records: 1, retainedUntil: "2025-02-01" },
    ]);
    await expect
      .poll(async () => {
        const { actions } = await past.compliance.listUserActions({});
        return actions.map(({ report }) => [report?.eventId, report?.retainedUntil]);
      })
      .toEqual([["old", "2036-01-05"]]);
    const exported = await collect(past.compliance.exportUserActions({}));
    expect(Buffer.concat(exported.map(({ jsonl }) => jsonl)).toString()).toContain(
      '"retained_until":"2036-01-05"',
    );
    past.clock.set("2016-01-10T12:00:00Z");
    const again = await past.bot.recordUserAction(action("old"));
    expect(again).toMatchObject({
      outcome: RecordOutcome.DUPLICATE,
      report: { retainedUntil: "2036-01-05" },
    });
  });

  test("promised longer when the record was accepted is kept, whatever the configuration says now", async () => {
    await using past = await startPast({ config: config(7300) });
    await past.act("2016-01-10T12:00:00Z", "promised");
    expect(await purged(past, "ledger.user_action")).toEqual([]);
    expect(await past.eventIds()).toEqual(["promised"]);
  });

  test("of 30 at the start is told as an error, shown by the gauge, and purges nothing before seven years (R2)", async () => {
    const said = logRecords();
    await using past = await startPast({ config: config(30), log: said.log });
    expect(said.withReason()).toContainEqual(
      expect.objectContaining({
        level: "error",
        reasonCode: "RETENTION_BELOW_REGULATORY_MINIMUM",
        retainDays: 30,
      }),
    );
    expect(await metricValue(past.service, "polytraders_gov_useractivityledger_retention_days")).toBe(30);
    const [before, month] = monthSevenYearsAgo();
    await past.act(`${before}-01T00:00:00Z`, "past it");
    await past.act(lastMomentOf(month), "not past it");
    await past.act(new Date(Date.now() - 40 * 86_400_000).toISOString(), "40 days old");
    expect(await purged(past, "ledger.user_action")).toMatchObject([{ month: before, records: 1 }]);
    expect(await past.eventIds()).toEqual(["not past it", "40 days old"]);
  });

  test("of history of 30 purges no parameter change before 365 days (R3)", async () => {
    await using past = await startPast({ config: "gov.parameterchangeauditor: { retain_history_days: 30 }" });
    await past.change(new Date(Date.now() - 300 * 86_400_000).toISOString(), "young");
    await past.change(new Date(Date.now() - 400 * 86_400_000).toISOString(), "old");
    past.comeBack();
    expect(await purged(past, "auditor.parameter_change")).toMatchObject([
      { action: "DETACHED", records: 1 },
    ]);
    const { changes } = await past.auditing.listParameterChanges({});
    expect(changes.map(({ report }) => report?.paramName)).toEqual(["young"]);
  });
});

test("an event that was purged is still known: sent again it is a duplicate, with other content a conflict (R9)", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old");
  await purged(past, "ledger.user_action");
  expect((await past.bot.recordUserAction(action("old"))).outcome).toBe(RecordOutcome.DUPLICATE);
  expect(await past.eventIds()).toEqual([]);
  const other = past.bot.recordUserAction(action("old", { wallet: otherWallet }));
  expect((await refusalOf(other)).reason).toBe("EVENT_ID_CONFLICT");
});

test("refused events go one by one once they are past their retention", async () => {
  await using past = await startPast();
  const refuse = (at: string, wallet: string) => {
    past.clock.set(at);
    return refusalOf(past.bot.recordUserAction(action("evt", { wallet })));
  };
  await past.act("2016-01-10T12:00:00Z", "evt");
  await refuse("2016-01-11T12:00:00Z", otherWallet);
  await refuse("2016-01-12T12:00:00Z", otherWallet.replace(/2$/, "3"));
  await refuse(new Date().toISOString(), otherWallet.replace(/2$/, "4"));
  expect(await purged(past, "ledger.conflict")).toEqual([
    { month: "2016-01", action: "DROPPED", records: 2, retainedUntil: "2023-01-12" },
  ]);
  const left = await past.database.query("superuser", "select wallet from ledger.conflict");
  expect(left).toEqual([{ wallet: otherWallet.replace(/2$/, "4") }]);
});

/** Everything that the purge could change, as the database has it. */
async function everything(past: Past): Promise<unknown> {
  return past.database.query(
    "superuser",
    `select c.oid::regclass::text as name, c.relispartition, (select inhdetachpending from pg_inherits where inhrelid = c.oid),
       (xpath('/row/n/text()', query_to_xml('select count(*) as n from ' || c.oid::regclass, false, true, '')))[1]::text as rows
     from pg_class c where c.relkind = 'r' and c.relnamespace::regnamespace::text in
       ('ledger', 'auditor', 'access', 'maintenance', 'purged', 'log') order by 1`,
  );
}

test("a dry run tells the steps of the run that follows it, changes nothing, and leaves no record", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old", { traceId: "trace" });
  await past.bot.recordExecutionReport({
    fillId: "fill",
    traceId: "trace",
    status: "MATCHED",
    size: "1",
    price: "0.5",
  });
  await past.act("2016-02-10T12:00:00Z", "held", { sessionId: "held" });
  await past.act("2016-02-11T12:00:00Z", "beside it");
  await past.change("2016-01-11T12:00:00Z", "limit");
  await past.eventIds();
  past.comeBack();
  await past.retention.placeLegalHold({
    holdId: "h",
    scope: { kind: 1, sessionId: "held" },
    reason: "matter",
  });
  await past.eventIds(); // So that the log has placed the hold too.
  const before = await everything(past);
  const { run: dry } = await past.operating.runPurge({ dryRun: true });
  expect(dry).toMatchObject({ dryRun: true, runId: "" });
  expect(await everything(past)).toEqual(before);
  expect((await past.operating.listPurgeRuns({})).runs).toEqual([]);
  const { run } = await past.operating.runPurge({});
  expect(dry?.steps.length).toBeGreaterThan(5);
  expect(run?.steps).toEqual(dry?.steps);

  await makeOlder(past.database, "maintenance.detached_partition", "detached_at", "8 days");
  const { run: dryDrop } = await past.operating.runPurge({ dryRun: true });
  expect(dryDrop?.steps.some(({ action }) => action === "DROPPED")).toBe(true);
  expect((await past.operating.runPurge({})).run?.steps).toEqual(dryDrop?.steps);
});

describe("it refuses", () => {
  test.each([
    ["ahead", 61],
    ["behind", -61],
  ])("when the service's clock is more than an hour %s of the database's", async (_, minutes) => {
    await using past = await startPast();
    await past.act("2016-01-10T12:00:00Z", "old");
    past.clock.set(new Date(Date.now() + minutes * 60_000).toISOString());
    for (const dryRun of [false, true]) {
      expect(await refusalOf(past.operating.runPurge({ dryRun }))).toMatchObject({
        code: "FailedPrecondition",
        reason: "PURGE_REFUSED",
        message: expect.stringContaining("clocks"),
      });
    }
    past.clock.set(new Date(Date.now() + Math.sign(minutes) * 59 * 60_000).toISOString());
    expect((await past.operating.runPurge({})).run?.steps.length).toBeGreaterThan(0);
  });

  test("while another run is under way, and runs when that one has ended", async () => {
    await using past = await startPast();
    past.comeBack();
    const other = new pg.Client({ connectionString: past.database.url("admin") });
    await other.connect();
    await other.query("select pg_advisory_lock(716351, 11)");
    expect(await refusalOf(past.operating.runPurge({}))).toMatchObject({
      reason: "PURGE_REFUSED",
      message: expect.stringContaining("another run is under way"),
    });
    await other.end();
    await expect
      .poll(async () =>
        past.operating.runPurge({}).then(
          () => "ran",
          () => "refused",
        ),
      )
      .toBe("ran");
  });

  test("without the administrator's connection", async () => {
    await using past = await startPast({ withAdmin: false });
    past.comeBack();
    expect(await refusalOf(past.operating.runPurge({}))).toMatchObject({
      code: "FailedPrecondition",
      reason: "PURGE_REFUSED",
      message: expect.stringContaining("DATABASE_ADMIN_URL"),
    });
  });
});

test("runs are listed newest first, page by page, with who started them and what they did", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old");
  past.comeBack();
  for (let i = 0; i < 3; i++) await past.operating.runPurge({});
  const first = await past.retention.listPurgeRuns({ pageSize: 2 });
  const second = await past.retention.listPurgeRuns({ pageSize: 2, pageToken: first.nextPageToken });
  expect([first.runs.length, second.runs.length, second.nextPageToken]).toEqual([2, 1, ""]);
  const runs = [...first.runs, ...second.runs];
  expect(runs.map(({ runId }) => runId)).toEqual(
    runs
      .map(({ runId }) => runId)
      .toSorted()
      .reverse(),
  );
  expect(runs.map(({ steps }) => steps.some(({ records }) => records === 1n))).toEqual([false, false, true]);
  for (const run of runs)
    expect(run).toMatchObject({ startedBy: "oscar", endedAt: { nanos: expect.any(Number) } });
});

describe("on its schedule", () => {
  test("of several replicas that try at once one runs it, and none again before a day is over", async () => {
    await using past = await startPast();
    const clock = stoppedClock(new Date().toISOString());
    const log = pino({ level: "silent" });
    const admin = { connectionString: past.database.url("admin") };
    await using purges = new AsyncDisposableStack();
    const replicas = Array.from({ length: 4 }, () => {
      const purge = createPurge({
        connect: () => connectAdministrator(admin, log),
        catchUp: async () => undefined,
        clock,
        recordId: createRecordIds(clock),
        log,
      });
      return purges.use(schedulePurge(purges.use(purge), log));
    });
    const runs = async () =>
      (await past.operating.listPurgeRuns({})).runs.map(({ startedBy, endedAt }) => [
        startedBy,
        endedAt !== undefined,
      ]);
    await Promise.all(replicas.map((replica) => replica.attempt()));
    expect(await runs()).toEqual([["schedule", true]]);
    await Promise.all(replicas.map((replica) => replica.attempt()));
    expect(await runs()).toHaveLength(1);
    await makeOlder(past.database, "maintenance.purge_end", "ended_at", "23 hours 59 minutes");
    await replicas[0]?.attempt();
    expect(await runs()).toHaveLength(1);
    await makeOlder(past.database, "maintenance.purge_end", "ended_at", "2 minutes");
    await Promise.all(replicas.map((replica) => replica.attempt()));
    expect(await runs()).toHaveLength(2);
  });

  test("a run that was refused or broke off is tried again within the hour, not a day later", async () => {
    await using past = await startPast();
    const clock = stoppedClock("2016-01-10T12:00:00Z");
    const log = pino({ level: "silent" });
    const admin = { connectionString: past.database.url("admin") };
    const purge = createPurge({
      connect: () => connectAdministrator(admin, log),
      catchUp: async () => undefined,
      clock,
      recordId: createRecordIds(clock),
      log,
    });
    using schedule = schedulePurge(purge, log);
    await schedule.attempt();
    expect((await past.operating.listPurgeRuns({})).runs).toEqual([]);
    clock.set(new Date().toISOString());
    await schedule.attempt();
    expect((await past.operating.listPurgeRuns({})).runs).toHaveLength(1);
  });
});

test("a month that the administrator puts back as the docs say is readable again, and the next run takes it again", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old");
  expect(await purged(past, "ledger.user_action")).toHaveLength(1);
  const docs = await readFile(new URL("../../../docs/running.md", import.meta.url), "utf8");
  const steps = /```sql\n(set role governance_owner;[^`]+)```/.exec(docs)?.[1] ?? "";
  const [away] = await past.database.query<{ name: string }>(
    "superuser",
    "select name from maintenance.detached_partition where table_name = 'ledger.user_action' and month = '2016-01-01'",
  );
  await past.database.query("admin", steps.replaceAll("ledger_user_action_2016_01_16423", away?.name ?? ""));
  expect(await past.eventIds()).toEqual(["old"]);
  expect(await purged(past, "ledger.user_action")).toMatchObject([
    { month: "2016-01", action: "DETACHED", records: 1 },
  ]);
  expect(await past.eventIds()).toEqual([]);
});

test("every table of monthly partitions is purged: none is forgotten when one is added", async () => {
  await using past = await startPast();
  const rows = await past.database.query<{ name: string }>(
    "superuser",
    `select oid::regclass::text as name from pg_class where relkind = 'p' order by 1`,
  );
  expect(monthlyTables.map(({ name }) => name).toSorted()).toEqual(rows.map(({ name }) => name));
});

test("months ahead and this month are never touched, with records or without", async () => {
  await using past = await startPast({ at: new Date().toISOString() });
  const before = await monthsOf(past.database, "ledger.user_action");
  past.comeBack();
  expect((await past.operating.runPurge({})).run?.steps).toEqual([]);
  expect(await monthsOf(past.database, "ledger.user_action")).toEqual(before);
});
