import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WriteOutcome } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type {
  OperationsReport,
  SettlementReport,
} from "../../../gen/ts/polytraders/governance/v1/report_pb.ts";
import type { StreamReportsResponse } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { RecordKind } from "../../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { refusalOf } from "../../support/refusal.ts";
import { exampleTiers, write } from "../auditor/writes.ts";
import { auditor, change, configAs } from "../botConfig/config.ts";
import { action } from "../ledger/actions.ts";
import { fill } from "../ledger/fillReports.ts";
import { type Past, startPast } from "../retention/past.ts";
import { close, closedWallet, digits, until } from "../scrub/scrubbing.ts";
import { eventTypesOf, lineOf, readReports, reportsAs } from "./reading.ts";

let past: Past;
let told: StreamReportsResponse[];
let redacted: StreamReportsResponse[];

const p0 = (paramName: string) => write(paramName, { botSlug: "risk.killswitch", newValueJson: "false" });
/** Of the changes, the one of armed and the one of maxsize that asked the gate for a ticket. */
const ticketed =
  "param_key in ('armed', 'maxsize') and reason_code <> 'UNGATED_WRITE' and break_glass_reason is null";
const shadowOnly = "gov.parameterchangeauditor: { mode: shadow_only }\n";

beforeAll(async () => {
  past = await startPast({
    config: `gov.useractivityledger: { scrub_on_account_close: true }\n${shadowOnly}${exampleTiers}`,
  });
  await past.act("2016-01-10T12:00:00Z", "old");
  past.comeBack();
  const { bot, service, database } = past;
  const store = await auditorAs(service, "config-store");
  // The ledger.
  await bot.recordUserAction(
    action("start", { sessionSeq: 1n, traceId: "t1", paramsJson: '{"max_size_pusd":500.10}' }),
  );
  await bot.recordUserAction(action("kill", { actionType: "KILL_SWITCH", sessionSeq: 4n }));
  await refusalOf(bot.recordUserAction(action("kill", { actionType: "HALT" })));
  await bot.recordExecutionReport(fill("trade", "order", { traceId: "t1", fillId: "f1" }));
  await until(database, "exists (select from ledger.session_gap)");
  await bot.recordUserAction(action("late", { sessionSeq: 2n }));
  await bot.recordUserAction(
    action(`of ${closedWallet}`, {
      wallet: closedWallet,
      sessionId: `s-${closedWallet}`,
      traceId: `t-${digits}`,
      paramsJson: JSON.stringify({ [`to ${digits}`]: `0x${digits}`, packed: `0xaaaa${digits}${digits}` }),
    }),
  );
  // The auditor.
  await store.checkWrite(p0("armed"));
  const oncall = await auditorAs(service, "break-glass");
  const emergency = await oncall.checkWrite({ ...p0("armed"), breakGlassReason: "the venue is down" });
  const carol = await auditorAs(service, "compliance", { subject: "carol" });
  await carol.reviewBreakGlass({ decisionId: emergency.decisionId, comment: `agreed; 0x${digits}` });
  const operator = await configAs(service, "operator");
  await refusalOf(operator.updateBotConfig(change(auditor, "retain_history_days", 89)));
  await store.recordUngatedWrite({
    ...p0("armed"),
    writeId: "u1",
    changedAt: { seconds: 1_778_320_800n },
    cause: "UNAVAILABLE",
  });
  const { decisionId } = await store.checkWrite(
    write("max_size", { botSlug: "b.c", newValueJson: "9007199254740993", editorId: closedWallet }),
  );
  await store.confirmWrite({ decisionId, outcome: WriteOutcome.APPLIED });
  await store.reconcileConfig({ botSlug: "b.c", liveValues: [{ paramName: "max_size", valueJson: "1" }] });
  await database.query("superuser", "select maintenance.ensure_month(now())");
  // On a busy machine they may have come through the spool.
  await until(database, `(select count(*) from auditor.parameter_change where ${ticketed}) = 2`);
  await database.query(
    "superuser",
    `insert into auditor.ticket_recheck (accepted_at, checked_at, epoch, ord, record_id, decision_id, bot_key, param_key, status, why)
     select accepted_at, accepted_at, 1, n, 'r' || n, record_id, bot_key, param_key, status, 'why'
     from auditor.parameter_change join (values (1, 'INVALID', 'armed'), (2, 'VALID', 'maxsize')) v (n, status, param) on param_key = param
     where ${ticketed}`,
  );
  // Both.
  await past.retention.placeLegalHold({
    holdId: "h1",
    scope: { kind: RecordKind.PARAMETER_CHANGES, botSlug: "b.c" },
    reason: "matter 7",
  });
  await past.retention.releaseLegalHold({ holdId: "h1", reason: "settled" });
  await database.query(
    "superuser",
    `insert into log.recovery (recorded_at, record_id, bot, from_at, to_at, buffered, flushed, folded, conflicting, refused, lost)
     values (now(), 'rec', 'gov.useractivityledger', now(), now(), 5, 4, 1, 0, 0, 0)`,
  );
  await past.operating.runPurge({});
  await using before = readReports(await reportsAs(service, "operator"), {});
  redacted = await before.until((messages) => eventTypesOf(messages).includes("PURGE_ENDED"));
  await close(await ledgerAs(service, "account"));
  await using reader = readReports(await reportsAs(service, "compliance"), {});
  told = await reader.until((messages) => eventTypesOf(messages).includes("ACCOUNT_SCRUBBED"));
});
afterAll(() => past?.[Symbol.asyncDispose]());

/** The reports of an event type, in their order. */
function reportsOf(eventType: string): (SettlementReport | OperationsReport)[] {
  return told.flatMap(({ report }) =>
    (report.case === "settlement" || report.case === "operations") && report.value.eventType === eventType
      ? [report.value]
      : [],
  );
}

function detailsOf(report: { readonly detailsJson?: string | undefined } | undefined): unknown {
  return JSON.parse(report?.detailsJson ?? "null");
}

test("every record that has a position is told, and every position", async () => {
  const [{ entries = "0" } = {}] = await past.database.query<{ entries: string }>(
    "superuser",
    "select count(*)::text as entries from log.entry",
  );
  const positions = new Set<number>();
  for (const { at, report } of told) {
    const first = report.case === "omitted" ? Number(report.value.firstPosition) : Number(at?.position);
    for (let position = first; position <= Number(at?.position); position++) positions.add(position);
  }
  expect([...positions]).toEqual(Array.from({ length: Number(entries) }, (_, i) => i + 1));
});

test.each([
  ["USER_ACTION_RECORDED", 5],
  ["KILL_SWITCH_ACTIVE", 1],
  ["EVENT_ID_CONFLICT", 1],
  ["EXECUTION_REPORT_RECORDED", 1],
  ["ACTION_LINKED_TO_FILL", 1],
  ["ACTION_GAP_DETECTED", 1],
  ["ACTION_GAP_CLOSED", 1],
  ["PARAM_CHANGED", 3],
  ["AUDIT_TICKET_REQUIRED", 1],
  ["BREAK_GLASS_USED", 1],
  ["BREAK_GLASS_REVIEWED", 1],
  ["BOT_CONFIG_REFUSED", 1],
  ["AUDIT_RETENTION_WARN", 1],
  ["UNGATED_WRITE", 1],
  ["P0_PARAMETER_CHANGED", 3],
  ["WRITE_CONFIRMED", 1],
  ["CONFIG_DRIFT_DETECTED", 1],
  ["AUDIT_TICKET_INVALID", 1],
  ["TICKET_RECHECKED", 1],
  ["LEGAL_HOLD_PLACED", 1],
  ["LEGAL_HOLD_RELEASED", 1],
  ["PURGE_STARTED", 1],
  ["PURGE_ENDED", 1],
  ["ACCOUNT_SCRUBBED", 1],
])("%s is told %i times", (eventType, times) => {
  expect(reportsOf(eventType)).toHaveLength(times);
});

test("what was purged is said to be gone, at its place", () => {
  expect(lineOf(told[0] ?? ({ at: undefined } as never))).toBe("1-1 PURGED");
});

test("each report has an id of its own, the same whenever it is read, and the record's own where it has one", async () => {
  const idsOf = (messages: readonly StreamReportsResponse[]) =>
    messages.flatMap(({ report }) =>
      report.case === "settlement" || report.case === "operations" ? [report.value.reportId] : [],
    );
  const ids = idsOf(told);
  expect(new Set(ids).size).toBe(ids.length);
  await using again = readReports(await reportsAs(past.service, "compliance"), {});
  expect(idsOf(await again.until((messages) => messages.length >= told.length))).toEqual(ids);
  const { actions } = await past.compliance.listUserActions({ actionType: "KILL_SWITCH" });
  const [first] = reportsOf("USER_ACTION_RECORDED").filter(
    (report) => "eventId" in report && report.eventId === "kill",
  );
  expect(first?.reportId).toBe(actions[0]?.report?.reportId);
});

test("reports have §13's fields, values digit for digit, and a sentence for people", () => {
  expect(reportsOf("USER_ACTION_RECORDED")[0]).toMatchObject({
    reportId: expect.stringMatching(/^stl_useractivityledger_[0-9A-HJKMNP-TV-Z]{26}$/),
    botId: "gov.useractivityledger",
    eventId: "start",
    walletAddress: action("start").wallet,
    sessionId: "sess_1",
    actionParamsJson: '{"max_size_pusd":500.10}',
    traceId: "t1",
    reportKind: "SettlementReport",
    topic: "polytraders.reports.settlement",
    retainedUntil: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    userMessage: "Your action was recorded in your activity history.",
    fillIds: [],
  });
  expect(reportsOf("CONFIG_DRIFT_DETECTED")[0]).toMatchObject({
    auditedBot: "b.c",
    paramName: "max_size",
    oldValueJson: "9007199254740993",
    newValueJson: "1",
    topic: "polytraders.reports.operations",
  });
  expect(reportsOf("ACTION_LINKED_TO_FILL")[0]).toMatchObject({ eventId: "start", fillId: "f1" });
});

test("details tell what the other fields cannot", () => {
  expect(detailsOf(reportsOf("ACTION_GAP_DETECTED")[0])).toEqual({
    missing_session_seq: [{ first: 2, last: 3 }],
  });
  expect(detailsOf(reportsOf("ACTION_GAP_CLOSED")[0])).toEqual({
    arrived_session_seq: [{ first: 2, last: 2 }],
  });
  expect(detailsOf(reportsOf("EXECUTION_REPORT_RECORDED")[0])).toMatchObject({
    trade_id: "trade",
    size: "10.50",
  });
  expect(detailsOf(reportsOf("BREAK_GLASS_USED")[0])).toMatchObject({
    break_glass_reason: "the venue is down",
  });
  const reviewed = reportsOf("BREAK_GLASS_REVIEWED")[0];
  expect(reviewed).toMatchObject({
    auditedBot: "risk.killswitch",
    paramName: "armed",
    recordedBy: "carol",
  });
  expect(detailsOf(reviewed)).toMatchObject({ comment: expect.stringMatching(/^agreed/) });
  expect(detailsOf(reportsOf("WRITE_CONFIRMED")[0])).toEqual({ outcome: "APPLIED" });
  const recoveries = reportsOf("STORE_RECOVERED").map(detailsOf); // A slow machine has some of its own.
  expect(recoveries).toContainEqual(expect.objectContaining({ buffered: 5, flushed: 4, lost: 0 }));
  expect(detailsOf(reportsOf("PURGE_ENDED")[0])).toMatchObject({
    steps: expect.arrayContaining([
      expect.objectContaining({ table: "ledger.user_action", month: "2016-01", action: "DETACHED" }),
    ]),
  });
  expect(detailsOf(reportsOf("LEGAL_HOLD_PLACED")[0])).toMatchObject({ hold_id: "h1", reason: "matter 7" });
});

test("a scrub's receipt names the report of the closing, and nothing names the wallet any more", () => {
  const closing = reportsOf("USER_ACTION_RECORDED").at(-1);
  expect(detailsOf(reportsOf("ACCOUNT_SCRUBBED")[0])).toMatchObject({ closing_report_id: closing?.reportId });
  const ofLedger = told.filter(({ report }) => report.case === "settlement");
  expect(textOf(ofLedger)).not.toContain(digits);
});

describe("an operator", () => {
  test("reads every report, and no wallet in any of them", () => {
    expect(redacted.map(lineOf)).toEqual(told.slice(0, redacted.length).map(lineOf));
    expect(textOf(redacted)).not.toMatch(/[0-9a-f]{40}(?![0-9a-f])/i);
    const own = redacted.find(
      ({ report }) => report.case === "settlement" && report.value.sessionId === "s-redacted",
    );
    expect(own?.report.value).toMatchObject({
      walletAddress: "redacted",
      eventId: "of redacted",
      traceId: "t-redacted",
      actionParams: { "to redacted": "redacted" },
    });
  });

  test("cannot ask by wallet", async () => {
    const reader = readReports(await reportsAs(past.service, "operator"), { wallet: closedWallet });
    expect(String(await reader.ended)).toContain("WALLET_NOT_ALLOWED");
  });
});

function textOf(messages: readonly StreamReportsResponse[]): string {
  return JSON.stringify(messages, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  ).toLowerCase();
}
