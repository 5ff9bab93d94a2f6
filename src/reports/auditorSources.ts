import { operationsReport, operationsTopic, type RecordedDecision } from "../auditor/report.ts";
import { pointersOf } from "../exact/pointers.ts";
import { exactToValue } from "../exact/value.ts";
import { operations } from "./operations.ts";
import { defineSource } from "./source.ts";

const topic = operationsTopic;

type DecisionRow = {
  record_id: string;
  bot_slug: string;
  param_name: string;
  old_value_json: string | null;
  new_value_json: string | null;
  inexact_json: string | null;
  masked_json: string | null;
  stale_against: string | null;
  editor_id: string;
  ticket_ref: string | null;
  environment: string | null;
  write_id: string | null;
  trace_id: string | null;
  changed_at_ns: string | null;
  recorded_by: string;
  allowed: boolean;
  automated: boolean;
  verdict: string;
  mode: string;
  param_tier: string;
  ticket_status: string;
  reason_code: string;
  cause: string | null;
  break_glass_reason: string | null;
  policy_version: string;
};

/**
 * What a decision is reported as. The first is what its own report says everywhere; a verdict that did not stand
 * in the way (R5), an emergency, and that a P0 parameter changed are said in addition.
 */
function eventTypes(first: string, row: DecisionRow): string[] {
  const types = [first];
  if (row.allowed && row.reason_code !== first && row.reason_code !== "PARAM_CHANGED")
    types.push(row.reason_code);
  if (row.allowed && row.param_tier === "P0") types.push("P0_PARAMETER_CHANGED");
  return types;
}

/** A decision on a parameter change, or a change that was made without one (R6). */
export const parameterChanges = defineSource<DecisionRow>({
  topic,
  from: "auditor.parameter_change t",
  time: "accepted_at",
  bytes: "coalesce(octet_length(t.old_value_json), 0) + coalesce(octet_length(t.new_value_json), 0)",
  columns: `t.record_id, t.bot_slug, t.param_name, t.old_value_json, t.new_value_json, t.inexact_json, t.masked_json,
    t.stale_against, t.editor_id, t.ticket_ref, t.environment, t.write_id, t.trace_id,
    t.changed_at_ns::text as changed_at_ns, t.recorded_by, t.allowed, t.automated, t.verdict, t.mode, t.param_tier,
    t.ticket_status, t.reason_code, t.cause, t.break_glass_reason, t.policy_version`,
  render(row, entry) {
    const decision: RecordedDecision = {
      recordId: row.record_id,
      acceptedMicros: entry.micros,
      botSlug: row.bot_slug,
      paramName: row.param_name,
      oldText: row.old_value_json,
      newText: row.new_value_json,
      inexact: pointersOf(row.inexact_json),
      maskedPaths: pointersOf(row.masked_json),
      staleAgainst: row.stale_against,
      editorId: row.editor_id,
      ticketRef: row.ticket_ref,
      environment: row.environment,
      writeId: row.write_id,
      traceId: row.trace_id,
      changedAtNs: row.changed_at_ns === null ? null : BigInt(row.changed_at_ns),
      recordedBy: row.recorded_by,
      allowed: row.allowed,
      verdict: row.verdict,
      mode: row.mode,
      automated: row.automated,
      tier: row.param_tier,
      ticketStatus: row.ticket_status,
      ticketProblem: null,
      reasonCode: row.reason_code,
      cause: row.cause,
      breakGlassReason: row.break_glass_reason,
      policyVersion: row.policy_version,
      epoch: entry.epoch,
      position: entry.position,
    };
    const report = operationsReport(decision);
    const detailsJson = JSON.stringify({
      allowed: row.allowed,
      reason_code: row.reason_code,
      ticket_status: row.ticket_status,
      ...(row.write_id === null ? {} : { write_id: row.write_id }),
      ...(row.break_glass_reason === null ? {} : { break_glass_reason: row.break_glass_reason }),
      ...(row.cause === null ? {} : { ungated_cause: row.cause }),
      policy_version: row.policy_version,
    });
    return eventTypes(report.eventType, row).map((eventType, part) =>
      operations(entry, eventType, { ...report, detailsJson }, { recordId: row.record_id, part }),
    );
  },
});

/** The decision that a row is about; it may be gone. */
type AboutDecision = {
  decision_id: string;
  bot_slug: string | null;
  param_name: string | null;
  param_tier: string | null;
  editor_id: string | null;
  ticket_ref: string | null;
  environment: string | null;
};

const aboutDecision = `t.decision_id, c.bot_slug, c.param_name, c.param_tier, c.editor_id, c.ticket_ref, c.environment`;

function decisionFields(row: AboutDecision) {
  return {
    decisionId: row.decision_id,
    auditedBot: row.bot_slug ?? "",
    paramName: row.param_name ?? "",
    paramTier: row.param_tier ?? "",
    editorId: row.editor_id ?? "",
    ...(row.ticket_ref === null ? {} : { ticketRef: row.ticket_ref }),
    ...(row.environment === null ? {} : { environment: row.environment }),
  };
}

type RecheckRow = AboutDecision & { record_id: string; status: string; why: string | null };

/** What a ticket turned out to be that could not be checked in time (R7). */
export const ticketRechecks = defineSource<RecheckRow>({
  topic,
  from: `auditor.ticket_recheck t left join auditor.parameter_change c
    on c.accepted_at = t.accepted_at and c.record_id = t.decision_id`,
  columns: `t.record_id, ${aboutDecision}, t.status, t.why`,
  render(row, entry) {
    const eventType = row.status === "INVALID" ? "AUDIT_TICKET_INVALID" : "TICKET_RECHECKED";
    const detailsJson = JSON.stringify({
      recheck: true,
      ticket_status: row.status,
      ...(row.why === null ? {} : { why: row.why }),
    });
    return [
      operations(entry, eventType, { ...decisionFields(row), detailsJson }, { recordId: row.record_id }),
    ];
  },
});

type ConfirmationRow = AboutDecision & { outcome: string; confirmed_by: string };

/** What became of an allowed write (R17). */
export const confirmations = defineSource<ConfirmationRow>({
  topic,
  from: `auditor.confirmation t left join auditor.parameter_change c
    on c.accepted_at = t.decided_at and c.record_id = t.decision_id`,
  columns: `${aboutDecision}, t.outcome, t.confirmed_by`,
  render(row, entry) {
    const detailsJson = JSON.stringify({ outcome: row.outcome });
    const fields = { ...decisionFields(row), recordedBy: row.confirmed_by, detailsJson };
    return [operations(entry, "WRITE_CONFIRMED", fields)];
  },
});

type ReviewRow = AboutDecision & { reviewed_by: string; comment: string };

/** Somebody else's look at a use of break-glass. */
export const breakGlassReviews = defineSource<ReviewRow>({
  topic,
  from: `auditor.break_glass_review t left join auditor.parameter_change c on c.record_id = t.decision_id`,
  columns: `${aboutDecision}, t.reviewed_by, t.comment`,
  render(row, entry) {
    const detailsJson = JSON.stringify({ comment: row.comment });
    const fields = { ...decisionFields(row), recordedBy: row.reviewed_by, detailsJson };
    return [operations(entry, "BREAK_GLASS_REVIEWED", fields)];
  },
});

type DriftRow = {
  record_id: string;
  bot_slug: string;
  param_name: string;
  environment: string | null;
  recorded_by: string;
  decision_id: string | null;
  recorded_json: string | null;
  live_json: string | null;
};

/** A live value that is not the recorded one (R17): old_value is the recorded one, new_value the live one. */
export const configDrifts = defineSource<DriftRow>({
  topic,
  from: "auditor.config_drift t",
  time: "accepted_at",
  bytes: "coalesce(octet_length(t.recorded_json), 0) + coalesce(octet_length(t.live_json), 0)",
  columns: `t.record_id, t.bot_slug, t.param_name, t.environment, t.recorded_by, t.decision_id, t.recorded_json,
    t.live_json`,
  render(row, entry) {
    const { recorded_json: recorded, live_json: live } = row;
    const fields = {
      auditedBot: row.bot_slug,
      paramName: row.param_name,
      ...(row.environment === null ? {} : { environment: row.environment }),
      recordedBy: row.recorded_by,
      decisionId: row.decision_id ?? "",
      ...(recorded === null ? {} : { oldValue: exactToValue(recorded), oldValueJson: recorded }),
      ...(live === null ? {} : { newValue: exactToValue(live), newValueJson: live }),
    };
    return [operations(entry, "CONFIG_DRIFT_DETECTED", fields, { recordId: row.record_id })];
  },
});
