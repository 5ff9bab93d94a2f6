import type {
  ExecutionReport,
  FillEntry,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { Place } from "../../log/place.ts";
import { textOfDay, textOfMicros, textOfNanos, timestampOfMicros, timestampOfNanos } from "../../time.ts";
import type { ExecutionReportContent } from "./executionReport.ts";

/** A recorded execution report, as a reader gets it. Its fillId is the fill's own id where that is known. */
export type RecordedFill = Omit<ExecutionReportContent, "madeFillId" | "raw"> & {
  readonly place: Place;
  readonly acceptedMicros: number;
  /** Days since 1970-01-01. */
  readonly retainedUntil: number;
  readonly recordedBy: string;
  readonly rawText: string | null;
  /** The actions that the fill is linked to, oldest link first. */
  readonly linkedEventIds: readonly string[];
};

export function fillEntry(fill: RecordedFill): FillEntry {
  return {
    $typeName: "polytraders.governance.v1.FillEntry",
    fillId: fill.fillId,
    recordedAt: timestampOfMicros(fill.acceptedMicros),
    report: reportAsSent(fill),
    linkedEventIds: [...fill.linkedEventIds],
    recordedBy: fill.recordedBy,
    retainedUntil: textOfDay(fill.retainedUntil),
    epoch: BigInt(fill.place.epoch),
    position: BigInt(fill.place.position),
  };
}

function reportAsSent(fill: RecordedFill): ExecutionReport {
  return {
    $typeName: "polytraders.governance.v1.ExecutionReport",
    fillId: fill.sentFillId ?? "",
    tradeId: fill.tradeId ?? "",
    orderId: fill.orderId ?? "",
    traceId: fill.traceId ?? "",
    wallet: fill.wallet ?? "",
    status: fill.status,
    market: fill.market ?? "",
    assetId: fill.assetId ?? "",
    side: fill.side ?? "",
    size: fill.size ?? "",
    price: fill.price ?? "",
    feeRateBps: fill.feeRateBps ?? "",
    outcome: fill.outcome ?? "",
    traderSide: fill.traderSide ?? "",
    transactionHash: fill.transactionHash ?? "",
    ...(fill.matchedAtNs === null ? {} : { matchedAt: timestampOfNanos(fill.matchedAtNs) }),
    ...(fill.updatedAtNs === null ? {} : { updatedAt: timestampOfNanos(fill.updatedAtNs) }),
    ...(fill.rawText === null ? {} : { rawJson: fill.rawText }),
  };
}

/**
 * The same record as one line of JSON without its newline, shaped as FillEntry; the venue's own JSON stands
 * in it as a value, digit for digit. What was not sent is left out.
 */
export function fillLine(fill: RecordedFill): string {
  const text = JSON.stringify;
  let line = `{"epoch":${fill.place.epoch},"position":${fill.place.position},"fill_id":${text(fill.fillId)}`;
  line += `,"report":${sentReportJson(fill)},"linked_event_ids":${text(fill.linkedEventIds)}`;
  line += `,"recorded_at":"${textOfMicros(fill.acceptedMicros)}","recorded_by":${text(fill.recordedBy)}`;
  line += `,"retained_until":"${textOfDay(fill.retainedUntil)}"}`;
  return line;
}

/** The report as it was sent, as JSON. */
export function sentReportJson(
  fill: Omit<ExecutionReportContent, "fillId" | "madeFillId" | "raw"> & { readonly rawText: string | null },
): string {
  const report: string[] = [];
  const add = (name: string, value: string | null) => {
    if (value !== null) report.push(`"${name}":${JSON.stringify(value)}`);
  };
  add("fill_id", fill.sentFillId);
  add("trade_id", fill.tradeId);
  add("order_id", fill.orderId);
  add("trace_id", fill.traceId);
  add("wallet", fill.wallet);
  add("status", fill.status);
  add("market", fill.market);
  add("asset_id", fill.assetId);
  add("side", fill.side);
  add("size", fill.size);
  add("price", fill.price);
  add("fee_rate_bps", fill.feeRateBps);
  add("outcome", fill.outcome);
  add("trader_side", fill.traderSide);
  add("transaction_hash", fill.transactionHash);
  add("matched_at", fill.matchedAtNs === null ? null : textOfNanos(fill.matchedAtNs));
  add("updated_at", fill.updatedAtNs === null ? null : textOfNanos(fill.updatedAtNs));
  if (fill.rawText !== null) report.push(`"raw":${fill.rawText}`);
  return `{${report.join(",")}}`;
}
