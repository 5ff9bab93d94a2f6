import type pg from "pg";
import {
  LinkState,
  type RecordExecutionReportRequest,
  type RecordExecutionReportResponse,
  RecordOutcome,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { read } from "../../db/read.ts";
import type { CallContext } from "../../server/call.ts";
import { within } from "../../server/within.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { store } from "../store.ts";
import { type ExecutionReportContent, parseExecutionReport } from "./executionReport.ts";
import { listedLinksMax } from "./links.ts";
import { fillRow } from "./storeFills.ts";

/** Of the call's time, what is left for the answer itself when Postgres does not say what is linked. */
const answerMs = 50;

/** RecordExecutionReport: a fill or a later status of one, answered when it is durable (spec 001 §10). */
export function createRecordExecutionReport(dependencies: LedgerDependencies) {
  return async (
    request: RecordExecutionReportRequest,
    context: CallContext,
  ): Promise<RecordExecutionReportResponse> => {
    const row = fillRow(parseExecutionReport(request, ""), context.caller.subject, dependencies);
    const { report } = row;
    const [outcome] = await store(dependencies.fillJournal, report.orderId ?? report.fillId, [row]);
    if (outcome === undefined) throw new Error("the journal answered nothing for a row");
    if (outcome.kind === "recorded") dependencies.sequencer.nudge();
    // What waits in the spool is linked once it is drained.
    const leftMs = context.deadlineMs - dependencies.clock.monotonicMs() - answerMs;
    const linkedEventIds =
      outcome.kind === "buffered" ? [] : await within(actionsOfFill(dependencies.pool, report), leftMs, []);
    return {
      $typeName: "polytraders.governance.v1.RecordExecutionReportResponse",
      outcome: outcomes[outcome.kind],
      linkState: linkedEventIds.length > 0 ? LinkState.LINKED : LinkState.PENDING,
      linkedEventIds,
      fillId: report.fillId,
    };
  };
}

const outcomes = {
  recorded: RecordOutcome.RECORDED,
  duplicate: RecordOutcome.DUPLICATE,
  buffered: RecordOutcome.BUFFERED,
} as const;

/**
 * The actions with a trace that the fill, under any name of its, or its order has. What is not linked yet
 * is read from the reports themselves: those that ledger.link has not come to.
 */
const actionsOf = `
  with name as materialized (
    select $1::text as fill_id
    union select $2::text where $2::text is not null
    union select fill_id from ledger.fill_alias where made_fill_id = $1::text
    union select made_fill_id from ledger.fill_alias where fill_id = $1::text
  ), trace as materialized (
    select $4::text as trace_id where $4::text is not null
    union select t.trace_id from name n join ledger.fill_trace t on t.fill_id = n.fill_id
    union select trace_id from ledger.order_trace where order_id = $3::text
    union select f.trace_id from log.state s
      join ledger.fill_report f on (f.epoch, f.xid) >= (s.epoch, s.followed)
      where f.order_id = $3::text and f.trace_id is not null
    union select f.trace_id from log.state s cross join name n
      join ledger.fill_report f on f.fill_id = n.fill_id and (f.epoch, f.xid) >= (s.epoch, s.followed)
      where f.trace_id is not null
  )
  select a.event_id from trace t cross join lateral (
    select event_id, epoch, xid, ord from ledger.user_action where trace_id = t.trace_id
    order by epoch, xid, ord limit $5::bigint
  ) as a
  order by a.epoch, a.xid, a.ord limit $5::bigint`;

/** The committed actions that the fill is linked to, or will be before anybody reads. */
async function actionsOfFill(pool: pg.Pool, report: ExecutionReportContent): Promise<string[]> {
  const rows = await read<{ event_id: string }>(pool, {
    name: "ledger.actionsOfFill",
    text: actionsOf,
    values: [report.fillId, report.madeFillId, report.orderId, report.traceId, listedLinksMax],
  });
  return rows.map((row) => row.event_id);
}
