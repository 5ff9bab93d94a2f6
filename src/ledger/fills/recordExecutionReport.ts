import type pg from "pg";
import {
  LinkState,
  type RecordExecutionReportRequest,
  type RecordExecutionReportResponse,
  RecordOutcome,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { read } from "../../db/read.ts";
import type { CallContext } from "../../server/call.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { store } from "../store.ts";
import { type ExecutionReportContent, parseExecutionReport } from "./executionReport.ts";
import { listedLinksMax } from "./links.ts";
import { fillRow } from "./storeFills.ts";

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
    const linkedEventIds = await actionsOfFill(dependencies.pool, report);
    return {
      $typeName: "polytraders.governance.v1.RecordExecutionReportResponse",
      outcome: outcome.kind === "recorded" ? RecordOutcome.RECORDED : RecordOutcome.DUPLICATE,
      linkState: linkedEventIds.length > 0 ? LinkState.LINKED : LinkState.PENDING,
      linkedEventIds,
      fillId: report.fillId,
    };
  };
}

/** The committed actions that the fill is linked to, or will be before anybody reads. */
async function actionsOfFill(pool: pg.Pool, report: ExecutionReportContent): Promise<string[]> {
  const rows = await read<{ event_id: string }>(pool, {
    name: "ledger.actionsOfFill",
    text: "select event_id from ledger.actions_of_fill($1, $2, $3, $4, $5) as event_id",
    values: [report.fillId, report.madeFillId, report.orderId, report.traceId, listedLinksMax],
  });
  return rows.map((row) => row.event_id);
}
