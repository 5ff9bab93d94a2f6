import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { bidiStream, type Rpc, serverStream, unary } from "../server/call.ts";
import { createFairQueue } from "../server/fairQueue.ts";
import { createCloseAccount } from "./closeAccount.ts";
import { createConflictList } from "./conflicts.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { createActionExport } from "./export.ts";
import { createFillExport } from "./fills/export.ts";
import { createFillList } from "./fills/list.ts";
import { createRecordExecutionReport } from "./fills/recordExecutionReport.ts";
import { createFillStream } from "./fills/stream.ts";
import { createActionList } from "./list.ts";
import { createRecordUserAction } from "./recordUserAction.ts";
import { createActivityList } from "./sessions/listActivity.ts";
import { createGapList } from "./sessions/listGaps.ts";
import { createActionStream } from "./stream.ts";

/** Of the 1,000 ms a caller waits for a record (spec 001 §21), the server uses this; the rest is the way. */
const recordBudgetMs = 950;
const readBudgetMs = 10_000;

/** So many single records are worked on at a time (spec 001 §21). */
const maxInFlight = 200;
const waitAtMostMs = 500;

/** gov.useractivityledger: the RPCs it serves. */
export function createLedger(dependencies: LedgerDependencies): readonly Rpc[] {
  const { method } = UserActivityLedgerService;
  const queue = createFairQueue({ maxInFlight, waitAtMostMs });
  return [
    unary(method.recordUserAction, recordBudgetMs, createRecordUserAction(dependencies), queue),
    bidiStream(method.streamUserActions, createActionStream(dependencies)),
    unary(method.recordExecutionReport, recordBudgetMs, createRecordExecutionReport(dependencies), queue),
    bidiStream(method.streamExecutionReports, createFillStream(dependencies)),
    unary(method.closeAccount, recordBudgetMs, createCloseAccount(dependencies), queue),
    unary(method.listUserActions, readBudgetMs, createActionList(dependencies)),
    serverStream(method.exportUserActions, createActionExport(dependencies)),
    unary(method.listFills, readBudgetMs, createFillList(dependencies)),
    serverStream(method.exportFills, createFillExport(dependencies)),
    unary(method.listSessionActivity, readBudgetMs, createActivityList(dependencies)),
    unary(method.listSessionGaps, readBudgetMs, createGapList(dependencies)),
    unary(method.listEventConflicts, readBudgetMs, createConflictList(dependencies)),
  ];
}
