import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import {
  Durability,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type AuditorClient, auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { type StoppedClock, stoppedClock } from "../../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type LogRecords, logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";

// The failure-injection recipes of §19, of spec 001 and of spec 002, each by its name.

const ledgerBuffer = "polytraders_gov_useractivityledger_buffer_size";
const auditorBuffer = "polytraders_gov_parameterchangeauditor_buffer_size";

let clock: StoppedClock;
let database: TestDatabase;
let proxy: DatabaseProxy;
let service: TestService;
let bot: LedgerClient;
let configStore: AuditorClient;
let logged: LogRecords;
const running = new AsyncDisposableStack();
beforeAll(async () => {
  clock = stoppedClock("2026-05-09T10:00:00Z");
  logged = logRecords();
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const env = { DATABASE_URL: proxy.through(database.url("service")) };
  service = running.use(await startTestService({ database, env, clock, config: enforce, log: logged.log }));
  bot = await ledgerAs(service, "bot");
  configStore = await auditorAs(service, "config-store");
});
afterAll(async () => {
  proxy.mend();
  await running.disposeAsync();
});
beforeEach(() => clock.set("2026-05-09T10:00:00Z"));

/** Cuts Postgres off, mid-work; what comes from then on has to be buffered. */
async function losePostgres(): Promise<void> {
  await bot.recordUserAction(action("before"));
  await configStore.checkWrite(write("before"));
  proxy.cut();
}

/** Postgres is back, and both buffers are empty by themselves. */
async function flushed(): Promise<void> {
  proxy.mend();
  const held = async () => [
    await metricValue(service, ledgerBuffer),
    await metricValue(service, auditorBuffer),
  ];
  await expect.poll(held, { timeout: 20_000 }).toEqual([0, 0]);
}

/** How often each id of the column stands in the table. */
async function timesOnRecord(
  table: string,
  column: string,
  ids: readonly string[],
): Promise<readonly number[]> {
  const rows = await database.query<{ id: string; n: number }>(
    "superuser",
    `select ${column} as id, count(*)::int as n from ${table} where ${column} = any ($1) group by 1`,
    [[...ids]],
  );
  const counts = new Map(rows.map(({ id, n }) => [id, n]));
  return ids.map((id) => counts.get(id) ?? 0);
}

function reasonsSince(mark: number): readonly unknown[] {
  return logged
    .withReason()
    .slice(mark)
    .map(({ reasonCode }) => reasonCode);
}

test("POSTGRES_UNAVAILABLE: user actions are buffered, said to be, and flushed once each when Postgres is back", async () => {
  await losePostgres();
  const mark = logged.withReason().length;
  const ids = Array.from({ length: 200 }, (_, i) => `unavailable-${i}`);
  const answers = await Promise.all(ids.map((id) => bot.recordUserAction(action(id, { sessionId: id }))));
  expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set([RecordOutcome.BUFFERED]));
  expect(await metricValue(service, ledgerBuffer)).toBe(200);
  expect(reasonsSince(mark)).toContain("LEDGER_WRITE_FAILED");

  await flushed();
  expect(await timesOnRecord("ledger.user_action", "event_id", ids)).toEqual(ids.map(() => 1));
  await expect.poll(() => reasonsSince(mark)).toContain("LEDGER_WRITE_RECOVERED");
});

test("DUPLICATE_EVENT_REPLAY: a recorded event that is replayed is a duplicate, from Postgres and from the buffer", async () => {
  const event = action("replayed");
  const first = await bot.recordUserAction(event);
  for (let i = 0; i < 3; i++) {
    const again = await bot.recordUserAction(event);
    expect(again).toMatchObject({
      outcome: RecordOutcome.DUPLICATE,
      report: { reportId: first.report?.reportId },
    });
  }
  proxy.cut();
  // Nobody can tell now whether it is on record (R23).
  for (let i = 0; i < 3; i++) {
    expect(await bot.recordUserAction(event)).toMatchObject({ outcome: RecordOutcome.BUFFERED });
  }
  await flushed();
  expect(await timesOnRecord("ledger.user_action", "event_id", ["replayed"])).toEqual([1]);
  expect(await timesOnRecord("ledger.conflict", "event_id", ["replayed"])).toEqual([0]);
});

test("RETENTION_BREACH: with retain_days=30 it starts and says so, refuses to be set so, and shortens nothing", async () => {
  const log = logRecords();
  const config = "gov.useractivityledger: { retain_days: 30 }";
  await using short = await startTestService({ config, clock, log: log.log });
  const code = "RETENTION_BELOW_REGULATORY_MINIMUM";
  expect(log.withReason()).toMatchObject([{ level: "error", reasonCode: code }]);
  expect(await metricValue(short, "polytraders_gov_useractivityledger_retention_days")).toBe(30);
  const { report } = await (await ledgerAs(short, "bot")).recordUserAction(action("kept"));
  expect(report?.retainedUntil).toBe("2033-05-09");

  const operator = service.client(
    BotConfigService,
    await service.token({ roles: ["operator"], ttlSeconds: 1e9 }),
  );
  const change = operator.updateBotConfig({
    botId: "gov.useractivityledger",
    paramName: "retain_days",
    value: { kind: { case: "numberValue", value: 30 } },
    editorId: "alice",
    ticketRef: "PTRD-1",
  });
  await expect(change).rejects.toThrow(code);
});

test("AUDIT_LOG_UNAVAILABLE: a change during which Postgres goes away has its verdict, is buffered, and is flushed", async () => {
  await losePostgres();
  const mark = logged.withReason().length;
  const startedMs = performance.now();
  const verdict = await configStore.checkWrite(write("unavailable", { writeId: "unavailable" }));
  expect(performance.now() - startedMs).toBeLessThan(500);
  expect(verdict).toMatchObject({ allowed: true, verdict: Verdict.ALLOW, durability: Durability.BUFFERED });
  expect(reasonsSince(mark)).toContain("AUDIT_LOG_UNAVAILABLE");

  await flushed();
  expect(await timesOnRecord("auditor.parameter_change", "record_id", [verdict.decisionId])).toEqual([1]);
  await expect.poll(() => reasonsSince(mark)).toContain("AUDIT_LOG_RECOVERED");
});

test("P0_CHANGE_WITHOUT_TICKET: it is rejected and pages; with a ticket it is allowed", async () => {
  const change = write("armed", { botSlug: "risk.killswitch", oldValueJson: "true", newValueJson: "false" });
  const mark = logged.withReason().length;
  expect(await configStore.checkWrite(change)).toMatchObject({
    allowed: false,
    verdict: Verdict.REJECT,
    reasonCode: "AUDIT_TICKET_REQUIRED",
    paramTier: "P0",
  });
  expect(reasonsSince(mark)).toEqual(["AUDIT_TICKET_REQUIRED"]);
  expect(await configStore.checkWrite({ ...change, ticketRef: "PTRD-1042" })).toMatchObject({
    allowed: true,
    paramTier: "P0",
  });
  expect(reasonsSince(mark)).toEqual(["AUDIT_TICKET_REQUIRED", "P0_PARAMETER_CHANGED"]);
});

test("BUFFER_OVERFLOW: 200 changes in ten minutes without Postgres are each on record once, in order, with one report", async () => {
  await losePostgres();
  const inFlight = 50;
  const changes = 200;
  const parameters = Array.from({ length: inFlight }, (_, i) => `overflow_${i}`);
  const decisions = new Map<string, string[]>();
  // Fifty callers with a parameter each, four changes one after the other, spread over the ten minutes.
  for (let round = 0; round < changes / inFlight; round++) {
    clock.set(`2026-05-09T10:0${round * 3}:00Z`);
    await Promise.all(
      parameters.map(async (paramName) => {
        const own = { oldValueJson: String(round), newValueJson: String(round + 1) };
        const verdict = await configStore.checkWrite(
          write(paramName, { ...own, writeId: `${paramName}-${round}` }),
        );
        expect(verdict).toMatchObject({ allowed: true, durability: Durability.BUFFERED });
        decisions.set(paramName, [...(decisions.get(paramName) ?? []), verdict.decisionId]);
      }),
    );
  }
  expect(await metricValue(service, auditorBuffer)).toBe(changes);
  clock.set("2026-05-09T10:10:00Z");

  await flushed();
  const ids = [...decisions.values()].flat();
  expect(new Set(ids).size).toBe(changes);
  expect(await timesOnRecord("auditor.parameter_change", "record_id", ids)).toEqual(ids.map(() => 1));
  const rows = await database.query<{ param_name: string; in_order: string[]; accepted: string }>(
    "superuser",
    `select param_name, array_agg(record_id order by epoch, xid, ord) as in_order,
       (max(accepted_at) - min(accepted_at))::text as accepted
     from auditor.parameter_change where param_name = any ($1) group by 1`,
    [parameters],
  );
  expect(rows).toHaveLength(inFlight);
  for (const row of rows) {
    expect(row.in_order).toEqual(decisions.get(row.param_name));
    // Its own time of acceptance is kept through the buffer (R10).
    expect(row.accepted).toBe("00:09:00");
  }
  // One report each (A§19), at a position of its own.
  const placed = () =>
    database.query<{ n: number }>(
      "superuser",
      `select count(distinct e.position)::int as n from log.entry e
     join auditor.parameter_change c on (c.epoch, c.xid, c.ord) = (e.epoch, e.xid, e.ord) and e.source = 'c'
     where c.record_id = any ($1)`,
      [ids],
    );
  await expect.poll(placed, { timeout: 10_000 }).toEqual([{ n: changes }]);
});
