import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { bidiStream, type Rpc, serverStream, unary } from "../server/call.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { createActionExport } from "./export.ts";
import { createActionList } from "./list.ts";
import { createRecordUserAction } from "./recordUserAction.ts";
import { createActionStream } from "./stream.ts";

/** Each recording call is answered within this (spec 001 §21). */
const recordBudgetMs = 1000;
const readBudgetMs = 10_000;

/** gov.useractivityledger: the RPCs it serves. */
export function createLedger(dependencies: LedgerDependencies): readonly Rpc[] {
  const { method } = UserActivityLedgerService;
  return [
    unary(method.recordUserAction, recordBudgetMs, createRecordUserAction(dependencies)),
    bidiStream(method.streamUserActions, createActionStream(dependencies)),
    unary(method.listUserActions, readBudgetMs, createActionList(dependencies)),
    serverStream(method.exportUserActions, createActionExport(dependencies)),
  ];
}
