import { pointersOf } from "../exact/pointers.ts";
import { exactToStruct } from "../exact/value.ts";
import { sentReportJson } from "../ledger/fills/report.ts";
import { reportId, settlementReport, settlementTopic } from "../ledger/report.ts";
import { numberRanges } from "../ledger/sessions/numberRanges.ts";
import { textOfDay, timestampOfNanos } from "../time.ts";
import { settlement } from "./settlement.ts";
import { defineSource } from "./source.ts";

const topic = settlementTopic;
const retainedUntil = "t.retained_until - date '1970-01-01' as retained_until";
const nanosOf = (text: string | null) => (text === null ? null : BigInt(text));

type ActionRow = {
  record_id: string;
  retained_until: number;
  event_id: string;
  wallet: string;
  session_id: string;
  action_type: string;
  recorded_by: string;
  trace_id: string | null;
  params_json: string | null;
  inexact_json: string | null;
  occurred_at_ns: string | null;
  session_seq: string | null;
};

/**
 * A user action, and that the kill switch is active when that is what it was (R19). Fills are linked behind it
 * in the log, each link a report of its own, so fill_ids is empty here.
 */
export const userActions = defineSource<ActionRow>({
  topic,
  from: "ledger.user_action t",
  time: "accepted_at",
  bytes: "coalesce(octet_length(t.params_json), 0)",
  columns: `t.record_id, ${retainedUntil}, t.event_id, t.wallet, t.session_id, t.action_type, t.recorded_by,
    t.trace_id, t.params_json, t.inexact_json, t.occurred_at_ns::text as occurred_at_ns,
    t.session_seq::text as session_seq`,
  render(row, entry) {
    const report = settlementReport({
      recordId: row.record_id,
      acceptedMicros: entry.micros,
      retainedUntil: row.retained_until,
      eventId: row.event_id,
      wallet: row.wallet,
      sessionId: row.session_id,
      actionType: row.action_type,
      recordedBy: row.recorded_by,
      traceId: row.trace_id,
      paramsText: row.params_json,
      inexact: pointersOf(row.inexact_json),
      occurredAtNs: nanosOf(row.occurred_at_ns),
      sessionSeq: nanosOf(row.session_seq),
      fillIds: [],
      epoch: entry.epoch,
      position: entry.position,
    });
    const recordId = row.record_id;
    const recorded = settlement(entry, report.eventType, report, { recordId });
    if (row.action_type !== "KILL_SWITCH") return [recorded];
    return [recorded, settlement(entry, "KILL_SWITCH_ACTIVE", report, { recordId, part: 1 })];
  },
});

type FillRow = {
  record_id: string;
  retained_until: number;
  matched_at_ns: string | null;
  updated_at_ns: string | null;
  fill_id: string;
  sent_fill_id: string | null;
  trade_id: string | null;
  order_id: string | null;
  trace_id: string | null;
  wallet: string | null;
  status: string;
  market: string | null;
  asset_id: string | null;
  side: string | null;
  size: string | null;
  price: string | null;
  fee_rate_bps: string | null;
  outcome: string | null;
  trader_side: string | null;
  transaction_hash: string | null;
  recorded_by: string;
  raw_json: string | null;
};

/** An execution report, its details as the export has them. */
export const fills = defineSource<FillRow>({
  topic,
  from: "ledger.fill_report t",
  time: "accepted_at",
  bytes: "coalesce(octet_length(t.raw_json), 0)",
  columns: `t.record_id, ${retainedUntil}, t.matched_at_ns::text as matched_at_ns,
    t.updated_at_ns::text as updated_at_ns, t.fill_id, t.sent_fill_id, t.trade_id, t.order_id, t.trace_id, t.wallet,
    t.status, t.market, t.asset_id, t.side, t.size, t.price, t.fee_rate_bps, t.outcome, t.trader_side,
    t.transaction_hash, t.recorded_by, t.raw_json`,
  render(row, entry) {
    const details = sentReportJson({
      sentFillId: row.sent_fill_id,
      tradeId: row.trade_id,
      orderId: row.order_id,
      traceId: row.trace_id,
      wallet: row.wallet,
      status: row.status,
      market: row.market,
      assetId: row.asset_id,
      side: row.side,
      size: row.size,
      price: row.price,
      feeRateBps: row.fee_rate_bps,
      outcome: row.outcome,
      traderSide: row.trader_side,
      transactionHash: row.transaction_hash,
      matchedAtNs: nanosOf(row.matched_at_ns),
      updatedAtNs: nanosOf(row.updated_at_ns),
      rawText: row.raw_json,
    });
    const fields = {
      walletAddress: row.wallet ?? "",
      traceId: row.trace_id ?? "",
      fillId: row.fill_id,
      recordedBy: row.recorded_by,
      retainedUntil: textOfDay(row.retained_until),
      detailsJson: details,
    };
    return [settlement(entry, "EXECUTION_REPORT_RECORDED", fields, { recordId: row.record_id })];
  },
});

type LinkRow = {
  record_id: string;
  retained_until: number;
  event_id: string;
  session_id: string;
  wallet: string;
  action_type: string;
  trace_id: string;
  fill_id: string;
};

export const fillLinks = defineSource<LinkRow>({
  topic,
  from: "ledger.fill_link t",
  columns: `t.record_id, ${retainedUntil}, t.event_id, t.session_id, t.wallet, t.action_type, t.trace_id, t.fill_id`,
  render(row, entry) {
    const fields = {
      eventId: row.event_id,
      sessionId: row.session_id,
      walletAddress: row.wallet,
      actionType: row.action_type,
      traceId: row.trace_id,
      fillId: row.fill_id,
      retainedUntil: textOfDay(row.retained_until),
    };
    return [settlement(entry, "ACTION_LINKED_TO_FILL", fields, { recordId: row.record_id })];
  },
});

type GapRow = {
  record_id: string;
  retained_until: number;
  session_id: string;
  wallet: string;
  opened: string;
  closed: string;
};

/** Numbers of a session that went missing, and those that came after all (R21). */
export const sessionGaps = defineSource<GapRow>({
  topic,
  from: "ledger.session_gap t",
  time: "accepted_at",
  columns: `t.record_id, ${retainedUntil}, t.session_id, t.wallet, t.opened::text as opened, t.closed::text as closed`,
  render(row, entry) {
    const told = [
      ["ACTION_GAP_DETECTED", "missing_session_seq", row.opened],
      ["ACTION_GAP_CLOSED", "arrived_session_seq", row.closed],
    ] as const;
    return told
      .filter(([, , ranges]) => ranges !== "{}")
      .map(([eventType, name, ranges], part) => {
        const fields = {
          sessionId: row.session_id,
          walletAddress: row.wallet,
          retainedUntil: textOfDay(row.retained_until),
          detailsJson: `{"${name}":[${numberRanges(ranges).map(rangeJson).join(",")}]}`,
        };
        return settlement(entry, eventType, fields, { recordId: row.record_id, part });
      });
  },
});

/** 64-bit numbers stay exact: they never become doubles. */
function rangeJson({ first, last }: { readonly first: bigint; readonly last: bigint }): string {
  return `{"first":${first},"last":${last}}`;
}

type ConflictRow = Omit<ActionRow, "record_id"> & { first_record_id: string };

/** Content that was refused because its event_id was taken (R9). */
export const conflicts = defineSource<ConflictRow>({
  topic,
  from: "ledger.conflict t",
  bytes: "coalesce(octet_length(t.params_json), 0)",
  columns: `t.first_record_id, ${retainedUntil}, t.event_id, t.wallet, t.session_id, t.action_type, t.recorded_by,
    t.trace_id, t.params_json, t.inexact_json, t.occurred_at_ns::text as occurred_at_ns,
    t.session_seq::text as session_seq`,
  render(row, entry) {
    const { params_json: params, occurred_at_ns: occurred } = row;
    const struct = params === null ? undefined : exactToStruct(params);
    const fields = {
      eventId: row.event_id,
      walletAddress: row.wallet,
      sessionId: row.session_id,
      actionType: row.action_type,
      recordedBy: row.recorded_by,
      traceId: row.trace_id ?? "",
      ...(struct === undefined ? {} : { actionParams: struct }),
      ...(params === null ? {} : { actionParamsJson: params }),
      inexact: [...pointersOf(row.inexact_json)],
      ...(occurred === null ? {} : { occurredAt: timestampOfNanos(BigInt(occurred)) }),
      sessionSeq: nanosOf(row.session_seq) ?? 0n,
      retainedUntil: textOfDay(row.retained_until),
      detailsJson: JSON.stringify({ recorded_report_id: reportId(row.first_record_id) }),
    };
    return [settlement(entry, "EVENT_ID_CONFLICT", fields)];
  },
});
