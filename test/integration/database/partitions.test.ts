import { afterAll, beforeAll, expect, test } from "vitest";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";

const clock = stoppedClock("2026-11-30T23:59:59.999999Z");
let service: TestService;
beforeAll(async () => {
  service = await startTestService({ clock });
});
afterAll(() => service[Symbol.asyncDispose]());

const tables = [
  "access.read_log",
  "auditor.config_drift",
  "auditor.confirmation",
  "auditor.parameter_change",
  "auditor.ticket_recheck",
  "ledger.fill_link",
  "ledger.fill_report",
  "ledger.session_gap",
  "ledger.user_action",
];

/** The months that every one of these tables has partitions for. */
async function months(of: readonly string[] = tables): Promise<string[]> {
  const rows = await service.database.query<{ parent: string; name: string }>(
    "superuser",
    `select inhparent::regclass::text as parent, inhrelid::regclass::text as name from pg_inherits
     where inhparent = any ($1::text[]::regclass[]) order by 1, 2`,
    [of],
  );
  const monthsOf = (parent: string) =>
    rows
      .filter((row) => row.parent === parent)
      .map((row) => row.name.slice(parent.length + 1).replace("_", "-"));
  const [first = [], ...others] = of.map(monthsOf);
  return first.filter((month) => others.every((other) => other.includes(month)));
}

test("at start this month's partitions are there and the next two months'", async () => {
  expect(await months()).toEqual(expect.arrayContaining(["2026-11", "2026-12", "2027-01"]));
});

test("a month that nobody made is made when its first record comes, and nothing is refused", async () => {
  clock.set("2027-08-01T00:00:00Z");
  const bot = await ledgerAs(service, "bot");
  const configStore = await auditorAs(service, "config-store");
  const compliance = await ledgerAs(service, "compliance");
  const answers = await Promise.all([
    ...Array.from({ length: 20 }, (_, i) =>
      bot.recordUserAction(action(`rolled_${i}`, { sessionId: "rolled" })),
    ),
    ...Array.from({ length: 20 }, (_, i) => configStore.checkWrite(write(`rolled_${i}`))),
    compliance.listUserActions({}),
  ]);
  for (const answer of answers) {
    if ("outcome" in answer) expect(answer.outcome).toBe(RecordOutcome.RECORDED);
    if ("durability" in answer) expect(answer.durability).toBe(Durability.DURABLE);
  }
  const written = ["ledger.user_action", "auditor.parameter_change", "access.read_log"];
  expect(await months(written)).toContain("2027-08");
  expect((await compliance.listUserActions({ sessionId: "rolled" })).actions).toHaveLength(20);
});

test("a record lies in the month of the service's clock, to the microsecond", async () => {
  const bot = await ledgerAs(service, "bot");
  clock.set("2026-11-30T23:59:59.999999Z");
  await bot.recordUserAction(action("last"));
  clock.set("2026-12-01T00:00:00Z");
  await bot.recordUserAction(action("first"));
  const rows = await service.database.query(
    "superuser",
    `select event_id, tableoid::regclass::text as partition, extract(microseconds from accepted_at)::int as micros
     from ledger.user_action where event_id in ('last', 'first') order by accepted_at`,
  );
  expect(rows).toEqual([
    { event_id: "last", partition: "ledger.user_action_2026_11", micros: 59_999_999 },
    { event_id: "first", partition: "ledger.user_action_2026_12", micros: 0 },
  ]);
});

test("making the same month many times at once makes it once", async () => {
  await Promise.all(
    Array.from({ length: 10 }, () =>
      service.database.query("service", "select maintenance.ensure_month('2031-02-14Z')"),
    ),
  );
  expect((await months()).filter((month) => month === "2031-02")).toHaveLength(1);
});

test("a new partition is guarded as its table is, and the service's role has no right on it of its own", async () => {
  await service.database.query("service", "select maintenance.ensure_month('2032-03-01Z')");
  const rows = await service.database.query(
    "superuser",
    `select t.tgrelid::regclass::text as name, array_agg(t.tgname::text || t.tgenabled::text order by t.tgname) as triggers,
       has_table_privilege('governance_service', t.tgrelid, 'select, insert, update, delete, truncate') as any_right
     from pg_trigger t where t.tgrelid::regclass::text like '%\\_2032\\_03' group by t.tgrelid order by 1`,
  );
  expect(rows).toEqual(
    tables.map((table) => ({
      name: `${table}_2032_03`,
      triggers: ["append_onlyA", "no_truncateA"],
      any_right: false,
    })),
  );
});
