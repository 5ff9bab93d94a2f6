import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { ledgerAs, postJson } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService, type TestService } from "../../support/service.ts";

/** The payload of spec 001 §11, as it is printed. */
const payload = `{
"event_id": "evt_01HX9Z",
"wallet": "0xdeadbeef00000000000000000000000000000001",
"session_id": "sess_01HX9Z",
"action_type": "STRATEGY_START",
"params": {
"strategy": "sports-model"
},
"trace_id": "trc_01HX9Z"
}`;

/** What §11 and §13 print of its report; report_id has the shape of R14. */
const printed = {
  report_id: expect.stringMatching(/^stl_useractivityledger_[0-9A-HJKMNP-TV-Z]{26}$/),
  bot_id: "gov.useractivityledger",
  event_type: "USER_ACTION_RECORDED",
  wallet_address: "0xdeadbeef00000000000000000000000000000001",
  session_id: "sess_01HX9Z",
  action_type: "STRATEGY_START",
  action_params: { strategy: "sports-model" },
  trace_id: "trc_01HX9Z",
  recorded_at: "2026-05-09T10:00:00Z",
  report_kind: "SettlementReport",
  topic: "polytraders.reports.settlement",
  retained_until: "2033-05-09",
};

/** What JSON answers print although it says nothing here, so that false and zero are never absent. */
const notApplying = { inexact: [], session_seq: "0", fill_ids: [], fill_id: "", epoch: "0", position: "0" };

// The printed event is recorded once, so each test has a service, and a database, of its own.
const clock = stoppedClock("2026-05-09T10:00:00Z");
let service: TestService;
beforeEach(async () => {
  clock.set("2026-05-09T10:00:00Z");
  service = await startTestService({ clock });
});
afterEach(() => service[Symbol.asyncDispose]());

test("the payload of §11, posted as it is printed, is answered as §13 prints", async () => {
  const answer = await postJson(service, "bot", "UserActivityLedgerService/RecordUserAction", payload);
  expect(answer).toEqual({
    status: 200,
    body: {
      outcome: "RECORD_OUTCOME_RECORDED",
      report: {
        ...printed,
        action_params_json: '{"strategy":"sports-model"}',
        event_id: "evt_01HX9Z",
        recorded_by: "tester",
        ...notApplying,
      },
    },
  });
});

test("the same payload over gRPC is the same event, answered with the same report", async () => {
  const posted = await postJson(service, "bot", "UserActivityLedgerService/RecordUserAction", payload);
  const bot = await ledgerAs(service, "bot");
  const { outcome, report } = await bot.recordUserAction({
    eventId: "evt_01HX9Z",
    wallet: "0xdeadbeef00000000000000000000000000000001",
    sessionId: "sess_01HX9Z",
    actionType: "STRATEGY_START",
    params: { strategy: "sports-model" },
    traceId: "trc_01HX9Z",
  });
  expect(outcome).toBe(RecordOutcome.DUPLICATE);
  expect(posted.body).toMatchObject({ report: { ...printed, report_id: report?.reportId } });
  expect(report).toMatchObject({
    botId: printed.bot_id,
    eventType: printed.event_type,
    walletAddress: printed.wallet_address,
    sessionId: printed.session_id,
    actionType: printed.action_type,
    actionParams: printed.action_params,
    traceId: printed.trace_id,
    recordedAt: { seconds: BigInt(microsOf(printed.recorded_at)) / 1_000_000n, nanos: 0 },
    reportKind: printed.report_kind,
    topic: printed.topic,
    retainedUntil: printed.retained_until,
  });
});

test("the parameters that §13 prints come back as they were sent, to the digit", async () => {
  const body = payload
    .replace("evt_01HX9Z", "evt_params")
    .replace(
      '"params": {\n"strategy": "sports-model"\n}',
      '"params_json": "{ \\"strategy\\": \\"sports-model\\", \\"max_size_pusd\\": 500.0 }"',
    );
  const answer = await postJson(service, "bot", "UserActivityLedgerService/RecordUserAction", body);
  expect(answer.body).toMatchObject({
    report: {
      action_params: { strategy: "sports-model", max_size_pusd: 500 },
      action_params_json: '{"strategy":"sports-model","max_size_pusd":500.0}',
    },
  });
});

test("the exported line has the words and values that §13 prints", async () => {
  await postJson(service, "bot", "UserActivityLedgerService/RecordUserAction", payload);
  const compliance = await ledgerAs(service, "compliance");
  const { lines } = await readExport(compliance.exportUserActions({ traceId: "trc_01HX9Z" }));
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    ...printed,
    event_id: "evt_01HX9Z",
    position: 1,
    epoch: 1,
  });
});

test.each([
  ["2028-02-29T23:59:59.999999Z", "2035-03-01"],
  ["2024-02-29T00:00:00Z", "2031-03-01"],
  ["2026-12-31T23:59:59Z", "2033-12-31"],
])("what is accepted at %s is kept until %s", async (acceptedAt, retainedUntil) => {
  clock.set(acceptedAt);
  const bot = await ledgerAs(service, "bot");
  const { report } = await bot.recordUserAction({
    eventId: `evt_${acceptedAt}`,
    wallet: printed.wallet_address,
    sessionId: "s",
    actionType: "STRATEGY_START",
  });
  expect(report?.retainedUntil).toBe(retainedUntil);
});
