import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { type Rpc, serverStream, unary } from "../server/call.ts";
import { createFairQueue } from "../server/fairQueue.ts";
import { createBreakGlassList } from "./breakGlass/list.ts";
import { createBreakGlassReview } from "./breakGlass/review.ts";
import { createCheckWrite } from "./checkWrite.ts";
import type { AuditorDependencies } from "./dependencies.ts";
import { createDecisionExport } from "./export.ts";
import type { Gate } from "./gate.ts";
import { createGetConfigAsOf } from "./history/configAsOf.ts";
import { createConfirmWrite } from "./history/confirm.ts";
import { createReconcileConfig } from "./history/reconcile.ts";
import { createRecordUngatedWrite } from "./history/ungated.ts";
import { createDecisionList } from "./list.ts";

/** A CheckWrite is answered within this (spec 002 §21); its own budget for recording is shorter. */
const gateBudgetMs = 500;
const recordBudgetMs = 1_000;
const readBudgetMs = 10_000;

/** So many writes are decided at a time (spec 002 §21); of its verdict's 400 ms one waits at most this long. */
const maxInFlight = 50;
const waitAtMostMs = 200;

/** gov.parameterchangeauditor: the RPCs it serves. */
export function createAuditor(gate: Gate, dependencies: AuditorDependencies): readonly Rpc[] {
  const { method } = ParameterChangeAuditorService;
  const queue = createFairQueue({ maxInFlight, waitAtMostMs });
  return [
    unary(method.checkWrite, gateBudgetMs, createCheckWrite(gate, dependencies.masking), queue),
    unary(method.confirmWrite, gateBudgetMs, createConfirmWrite(dependencies), queue),
    unary(method.recordUngatedWrite, recordBudgetMs, createRecordUngatedWrite(dependencies), queue),
    unary(method.reconcileConfig, readBudgetMs, createReconcileConfig(dependencies)),
    unary(method.getConfigAsOf, readBudgetMs, createGetConfigAsOf(dependencies)),
    unary(method.listParameterChanges, readBudgetMs, createDecisionList(dependencies)),
    unary(method.listBreakGlass, readBudgetMs, createBreakGlassList(dependencies)),
    unary(method.reviewBreakGlass, recordBudgetMs, createBreakGlassReview(dependencies)),
    serverStream(method.exportParameterChanges, createDecisionExport(dependencies)),
  ];
}
