import type { JsonObject } from "@bufbuild/protobuf";
import type { SettlementReport } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { exactToStruct } from "../exact/value.ts";
import { textOfDay, textOfMicros, textOfNanos, timestampOfMicros, timestampOfNanos } from "../time.ts";

export const ledgerBotId = "gov.useractivityledger";
export const settlementTopic = "polytraders.reports.settlement";

/** A recorded action, as a reader gets it from the database or a caller from the journal. */
export type RecordedAction = {
  readonly recordId: string;
  readonly acceptedMicros: number;
  /** Days since 1970-01-01. */
  readonly retainedUntil: number;
  readonly eventId: string;
  readonly wallet: string;
  readonly sessionId: string;
  readonly actionType: string;
  readonly recordedBy: string;
  readonly traceId: string | null;
  readonly paramsText: string | null;
  readonly inexact: readonly string[];
  readonly occurredAtNs: bigint | null;
  readonly sessionSeq: bigint | null;
  /** The fills linked to it, oldest link first. */
  readonly fillIds: readonly string[];
  /** 0 before the record has its place in the log. */
  readonly epoch: number;
  readonly position: number;
};

/** R14: the shape of report ids. */
export function reportId(recordId: string): string {
  return `stl_useractivityledger_${recordId}`;
}

/**
 * The SettlementReport of a record (spec 001 §13). `params` saves reading the text again where the
 * caller has it as doubles already.
 */
export function settlementReport(record: RecordedAction, params?: JsonObject): SettlementReport {
  const struct = params ?? (record.paramsText === null ? undefined : exactToStruct(record.paramsText));
  return {
    $typeName: "polytraders.governance.v1.SettlementReport",
    reportId: reportId(record.recordId),
    botId: ledgerBotId,
    eventType: "USER_ACTION_RECORDED",
    walletAddress: record.wallet,
    sessionId: record.sessionId,
    actionType: record.actionType,
    ...(struct === undefined ? {} : { actionParams: struct }),
    traceId: record.traceId ?? "",
    recordedAt: timestampOfMicros(record.acceptedMicros),
    reportKind: "SettlementReport",
    topic: settlementTopic,
    retainedUntil: textOfDay(record.retainedUntil),
    ...(record.paramsText === null ? {} : { actionParamsJson: record.paramsText }),
    inexact: [...record.inexact],
    eventId: record.eventId,
    ...(record.occurredAtNs === null ? {} : { occurredAt: timestampOfNanos(record.occurredAtNs) }),
    sessionSeq: record.sessionSeq ?? 0n,
    recordedBy: record.recordedBy,
    fillIds: [...record.fillIds],
    epoch: BigInt(record.epoch),
    position: BigInt(record.position),
    fillId: "",
  };
}

/**
 * The same record as one line of JSON without its newline, digits of the parameters as they were sent.
 * Fields that do not apply are left out; JSON null parameters stay null.
 */
export function settlementLine(record: RecordedAction): string {
  const text = JSON.stringify;
  let line = `{"epoch":${record.epoch},"position":${record.position}`;
  line += `,"report_id":"${reportId(record.recordId)}","bot_id":"${ledgerBotId}","event_type":"USER_ACTION_RECORDED"`;
  line += `,"event_id":${text(record.eventId)},"wallet_address":"${record.wallet}","session_id":${text(record.sessionId)}`;
  line += `,"action_type":"${record.actionType}"`;
  if (record.paramsText !== null) line += `,"action_params":${record.paramsText}`;
  if (record.inexact.length > 0) line += `,"inexact":${text(record.inexact)}`;
  if (record.traceId !== null) line += `,"trace_id":${text(record.traceId)}`;
  if (record.fillIds.length > 0) line += `,"fill_ids":${text(record.fillIds)}`;
  if (record.occurredAtNs !== null) line += `,"occurred_at":"${textOfNanos(record.occurredAtNs)}"`;
  if (record.sessionSeq !== null) line += `,"session_seq":${record.sessionSeq}`;
  line += `,"recorded_at":"${textOfMicros(record.acceptedMicros)}","recorded_by":${text(record.recordedBy)}`;
  line += `,"report_kind":"SettlementReport","topic":"${settlementTopic}"`;
  line += `,"retained_until":"${textOfDay(record.retainedUntil)}"}`;
  return line;
}
