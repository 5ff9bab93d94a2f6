import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { type Rpc, serverStream, unary } from "../server/call.ts";
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

/** gov.parameterchangeauditor: the RPCs it serves. */
export function createAuditor(gate: Gate, dependencies: AuditorDependencies): readonly Rpc[] {
  const { method } = ParameterChangeAuditorService;
  return [
    unary(method.checkWrite, gateBudgetMs, createCheckWrite(gate, dependencies.masking)),
    unary(method.confirmWrite, gateBudgetMs, createConfirmWrite(dependencies)),
    unary(method.recordUngatedWrite, recordBudgetMs, createRecordUngatedWrite(dependencies)),
    unary(method.reconcileConfig, readBudgetMs, createReconcileConfig(dependencies)),
    unary(method.getConfigAsOf, readBudgetMs, createGetConfigAsOf(dependencies)),
    unary(method.listParameterChanges, readBudgetMs, createDecisionList(dependencies)),
    unary(method.listBreakGlass, readBudgetMs, createBreakGlassList(dependencies)),
    unary(method.reviewBreakGlass, recordBudgetMs, createBreakGlassReview(dependencies)),
    serverStream(method.exportParameterChanges, createDecisionExport(dependencies)),
  ];
}
