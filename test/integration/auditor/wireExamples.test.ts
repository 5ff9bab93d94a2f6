import { afterEach, beforeEach, expect, test } from "vitest";
import {
  Durability,
  FieldChangeKind,
  Mode,
  TicketStatus,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { auditorAs, postJson } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { exampleTiers } from "./writes.ts";

/** The payload of spec 002 §11, as it is printed. */
const payload = `{
"bot_slug": "risk.liquidityguard",
"param_name": "max_position_pusd",
"old_value": 5000,
"new_value": 7500,
"editor_id": "alice@polytraders",
"ticket_ref": "PTRD-1042"
}`;

/** What §11 and §13 print of its report; report_id has the shape of R14. */
const printed = {
  report_id: expect.stringMatching(/^ops_parameterchangeauditor_[0-9A-HJKMNP-TV-Z]{26}$/),
  bot_id: "gov.parameterchangeauditor",
  event_type: "PARAM_CHANGED",
  audited_bot: "risk.liquidityguard",
  param_name: "max_position_pusd",
  old_value: 5000,
  new_value: 7500,
  editor_id: "alice@polytraders",
  ticket_ref: "PTRD-1042",
  param_tier: "P1",
  changed_at: "2026-05-09T10:00:00Z",
  report_kind: "OperationsReport",
  topic: "polytraders.reports.operations",
};

const ulid = expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/);

// Each test begins with an empty log, as the places in it are part of what is printed.
let service: TestService;
beforeEach(async () => {
  service = await startTestService({ clock: stoppedClock("2026-05-09T10:00:00Z"), config: exampleTiers });
});
afterEach(() => service[Symbol.asyncDispose]());

test("the payload of §11, posted as it is printed, is answered as §13 prints", async () => {
  const answer = await postJson(service, "config-store", "ParameterChangeAuditorService/CheckWrite", payload);
  expect(answer).toEqual({
    status: 200,
    body: {
      allowed: true,
      verdict: "VERDICT_ALLOW",
      mode: "MODE_SHADOW_ONLY",
      reason_code: "PARAM_CHANGED",
      user_message: expect.stringMatching(/^A configuration change was recorded in the audit log/),
      param_tier: "P1",
      ticket_status: "TICKET_STATUS_PRESENT",
      ticket_problem: "",
      durability: "DURABILITY_DURABLE",
      decision_id: ulid,
      policy_version: expect.stringMatching(/^[0-9a-f]{16}$/),
      diff: [{ path: "", kind: "FIELD_CHANGE_KIND_CHANGED", old_json: "5000", new_json: "7500" }],
      diff_omitted: 0,
      replayed: false,
      report: {
        ...printed,
        old_value_json: "5000",
        new_value_json: "7500",
        decision_id: ulid,
        recorded_by: "tester",
        verdict: "ALLOW",
        mode: "SHADOW_ONLY",
        // What JSON answers print although it says nothing here, so that false and zero are never absent.
        inexact: [],
        trace_id: "",
        epoch: "0",
        position: "0",
        automated: false,
        masked_paths: [],
        stale_old_value: false,
        stale_against: "",
      },
    },
  });
});

test("a write that is not allowed says so in JSON, instead of leaving the field out", async () => {
  const config = "gov.parameterchangeauditor: { mode: enforce }\ntiers: { risk.*: P0 }\n";
  await using enforcing = await startTestService({ config });
  const write = { bot_slug: "risk.a", param_name: "b", new_value: 1, editor_id: "e" };
  const answer = await postJson(
    enforcing,
    "config-store",
    "ParameterChangeAuditorService/CheckWrite",
    JSON.stringify(write),
  );
  expect(answer).toMatchObject({ status: 200, body: { allowed: false, verdict: "VERDICT_REJECT" } });
});

test("the same payload over gRPC is answered with the same words and values", async () => {
  const configStore = await auditorAs(service, "config-store");
  const answer = await configStore.checkWrite({
    botSlug: "risk.liquidityguard",
    paramName: "max_position_pusd",
    oldValue: { kind: { case: "numberValue", value: 5000 } },
    newValue: { kind: { case: "numberValue", value: 7500 } },
    editorId: "alice@polytraders",
    ticketRef: "PTRD-1042",
  });
  expect(answer).toMatchObject({
    allowed: true,
    verdict: Verdict.ALLOW,
    mode: Mode.SHADOW_ONLY,
    reasonCode: "PARAM_CHANGED",
    paramTier: "P1",
    ticketStatus: TicketStatus.PRESENT,
    durability: Durability.DURABLE,
    replayed: false,
    diff: [{ path: "", kind: FieldChangeKind.CHANGED, oldJson: "5000", newJson: "7500" }],
    report: {
      reportId: `ops_parameterchangeauditor_${answer.decisionId}`,
      botId: printed.bot_id,
      eventType: printed.event_type,
      auditedBot: printed.audited_bot,
      paramName: printed.param_name,
      oldValue: { kind: { case: "numberValue", value: 5000 } },
      newValue: { kind: { case: "numberValue", value: 7500 } },
      editorId: printed.editor_id,
      ticketRef: printed.ticket_ref,
      paramTier: printed.param_tier,
      changedAt: { seconds: BigInt(microsOf(printed.changed_at)) / 1_000_000n, nanos: 0 },
      reportKind: printed.report_kind,
      topic: printed.topic,
    },
  });
});

test("end to end: the change is in the audit log with its full diff, as §13 prints it", async () => {
  await postJson(service, "config-store", "ParameterChangeAuditorService/CheckWrite", payload);
  const compliance = await auditorAs(service, "compliance");
  const { lines } = await readExport(compliance.exportParameterChanges({ ticketRef: "PTRD-1042" }));
  expect(JSON.parse(lines[0] ?? "")).toEqual({
    ...printed,
    epoch: 1,
    position: 1,
    decision_id: ulid,
    recorded_by: "tester",
    allowed: true,
    verdict: "ALLOW",
    mode: "SHADOW_ONLY",
    reason_code: "PARAM_CHANGED",
    automated: false,
    ticket_status: "PRESENT",
    policy_version: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
  const { changes } = await compliance.listParameterChanges({ ticketRef: "PTRD-1042" });
  expect(changes.at(-1)).toMatchObject({
    allowed: true,
    reasonCode: "PARAM_CHANGED",
    ticketStatus: TicketStatus.PRESENT,
    diff: [{ path: "", kind: FieldChangeKind.CHANGED, oldJson: "5000", newJson: "7500" }],
    report: { position: 1n, epoch: 1n, ticketRef: "PTRD-1042" },
  });
});
