import type { FieldChange } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import {
  FieldChangeKind,
  TicketStatus as WireTicketStatus,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { OperationsReport } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { diffExact, type FieldDiff } from "../exact/diff.ts";
import { exactToValue } from "../exact/value.ts";
import { textOfMicros, textOfNanos, timestampOfMicros, timestampOfNanos } from "../time.ts";
import type { TicketStatus } from "./policy.ts";

export const auditorBotId = "gov.parameterchangeauditor";
export const operationsTopic = "polytraders.reports.operations";

/** How many differences of one write are listed; the values themselves are always whole. */
const diffMaxChanges = 1000;

/** A recorded decision, as a reader gets it from the database or a caller from the gate. */
export type RecordedDecision = {
  readonly recordId: string;
  readonly acceptedMicros: number;
  readonly botSlug: string;
  readonly paramName: string;
  readonly oldText: string | null;
  readonly newText: string | null;
  readonly inexact: readonly string[];
  /** Where secrets were masked. */
  readonly maskedPaths: readonly string[];
  /** The decision that let the parameter's last recorded value in, where old_value is not it. */
  readonly staleAgainst: string | null;
  readonly editorId: string;
  readonly ticketRef: string | null;
  readonly environment: string | null;
  readonly writeId: string | null;
  readonly traceId: string | null;
  readonly changedAtNs: bigint | null;
  readonly recordedBy: string;
  readonly allowed: boolean;
  readonly verdict: string;
  readonly mode: string;
  readonly automated: boolean;
  readonly tier: string;
  readonly ticketStatus: string;
  /** Why the ticket does not cover the write, of one just decided; null else: it is not stored. */
  readonly ticketProblem: string | null;
  readonly reasonCode: string;
  /** Why there was no verdict, of a write that went through without one. */
  readonly cause: string | null;
  /** Why it could not wait for a ticket, of break-glass. */
  readonly breakGlassReason: string | null;
  readonly policyVersion: string;
  /** 0 before the record has its place in the log. */
  readonly epoch: number;
  readonly position: number;
};

/** What the report is of: history follows writes, so one that may proceed is PARAM_CHANGED (R5). */
function eventType(record: RecordedDecision): string {
  if (record.reasonCode === "UNGATED_WRITE") return record.reasonCode;
  return record.allowed ? "PARAM_CHANGED" : record.reasonCode;
}

/** R14: the shape of report ids. */
function reportId(recordId: string): string {
  return `ops_parameterchangeauditor_${recordId}`;
}

/** The OperationsReport of a decision (spec 002 §13). */
export function operationsReport(record: RecordedDecision): OperationsReport {
  return {
    $typeName: "polytraders.governance.v1.OperationsReport",
    reportId: reportId(record.recordId),
    botId: auditorBotId,
    eventType: eventType(record),
    auditedBot: record.botSlug,
    paramName: record.paramName,
    ...(record.oldText === null
      ? {}
      : { oldValue: exactToValue(record.oldText), oldValueJson: record.oldText }),
    ...(record.newText === null
      ? {}
      : { newValue: exactToValue(record.newText), newValueJson: record.newText }),
    editorId: record.editorId,
    ...(record.ticketRef === null ? {} : { ticketRef: record.ticketRef }),
    paramTier: record.tier,
    changedAt: timestampOfMicros(record.acceptedMicros),
    reportKind: "OperationsReport",
    topic: operationsTopic,
    inexact: [...record.inexact],
    ...(record.environment === null ? {} : { environment: record.environment }),
    decisionId: record.recordId,
    ...(record.changedAtNs === null ? {} : { claimedChangedAt: timestampOfNanos(record.changedAtNs) }),
    traceId: record.traceId ?? "",
    recordedBy: record.recordedBy,
    verdict: record.verdict,
    mode: record.mode.toUpperCase(),
    epoch: BigInt(record.epoch),
    position: BigInt(record.position),
    automated: record.automated,
    maskedPaths: [...record.maskedPaths],
    staleOldValue: record.staleAgainst !== null,
    staleAgainst: record.staleAgainst ?? "",
  };
}

/** The same record as one line of JSON without its newline, digits of the values as they were sent. */
export function operationsLine(record: RecordedDecision): string {
  const text = JSON.stringify;
  let line = `{"epoch":${record.epoch},"position":${record.position}`;
  line += `,"report_id":"${reportId(record.recordId)}","bot_id":"${auditorBotId}","event_type":"${eventType(record)}"`;
  line += `,"audited_bot":${text(record.botSlug)},"param_name":${text(record.paramName)}`;
  if (record.oldText !== null) line += `,"old_value":${record.oldText}`;
  if (record.newText !== null) line += `,"new_value":${record.newText}`;
  if (record.inexact.length > 0) line += `,"inexact":${text(record.inexact)}`;
  if (record.maskedPaths.length > 0) line += `,"masked_paths":${text(record.maskedPaths)}`;
  if (record.staleAgainst !== null)
    line += `,"stale_old_value":true,"stale_against":"${record.staleAgainst}"`;
  line += `,"editor_id":${text(record.editorId)}`;
  if (record.ticketRef !== null) line += `,"ticket_ref":${text(record.ticketRef)}`;
  if (record.environment !== null) line += `,"environment":${text(record.environment)}`;
  line += `,"param_tier":"${record.tier}","changed_at":"${textOfMicros(record.acceptedMicros)}"`;
  if (record.changedAtNs !== null) line += `,"claimed_changed_at":"${textOfNanos(record.changedAtNs)}"`;
  if (record.traceId !== null) line += `,"trace_id":${text(record.traceId)}`;
  if (record.writeId !== null) line += `,"write_id":${text(record.writeId)}`;
  line += `,"decision_id":"${record.recordId}","recorded_by":${text(record.recordedBy)}`;
  line += `,"allowed":${record.allowed},"verdict":"${record.verdict}","mode":"${record.mode.toUpperCase()}"`;
  line += `,"reason_code":"${record.reasonCode}","ticket_status":"${record.ticketStatus}"`;
  if (record.breakGlassReason !== null) line += `,"break_glass_reason":${text(record.breakGlassReason)}`;
  if (record.cause !== null) line += `,"ungated_cause":${text(record.cause)}`;
  line += `,"policy_version":"${record.policyVersion}","automated":${record.automated},"report_kind":"OperationsReport","topic":"${operationsTopic}"}`;
  return line;
}

/** What differs between the old and the new value, path by path (spec 002 §9). */
export function diffOf(record: RecordedDecision): { diff: FieldChange[]; diffOmitted: number } {
  const { changes, omitted } = diffExact(
    record.oldText ?? undefined,
    record.newText ?? undefined,
    diffMaxChanges,
  );
  return { diff: changes.map(fieldChange), diffOmitted: omitted };
}

const changeKinds = {
  added: FieldChangeKind.ADDED,
  removed: FieldChangeKind.REMOVED,
  changed: FieldChangeKind.CHANGED,
};

function fieldChange(change: FieldDiff): FieldChange {
  return {
    $typeName: "polytraders.governance.v1.FieldChange",
    path: change.path,
    kind: changeKinds[change.kind],
    ...(change.oldJson === undefined ? {} : { oldJson: change.oldJson }),
    ...(change.newJson === undefined ? {} : { newJson: change.newJson }),
  };
}

const ticketStatuses = new Map<string, WireTicketStatus>([
  ["NOT_REQUIRED", WireTicketStatus.NOT_REQUIRED],
  ["ABSENT", WireTicketStatus.ABSENT],
  ["PRESENT", WireTicketStatus.PRESENT],
  ["VALID", WireTicketStatus.VALID],
  ["INVALID", WireTicketStatus.INVALID],
  ["UNVERIFIED", WireTicketStatus.UNVERIFIED],
] satisfies [TicketStatus, WireTicketStatus][]);

export function wireTicketStatus(status: string): WireTicketStatus {
  return ticketStatuses.get(status) ?? WireTicketStatus.UNSPECIFIED;
}
