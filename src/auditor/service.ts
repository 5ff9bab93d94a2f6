import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { Logger } from "pino";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import type { Journal } from "../journal/journal.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import { type Rpc, serverStream, unary } from "../server/call.ts";
import type { DecisionOutcome, DecisionRow } from "./append.ts";
import { createCheckWrite } from "./checkWrite.ts";
import { createDecisionExport } from "./export.ts";
import { createDecisionList } from "./list.ts";
import type { Policy } from "./policy.ts";

export type AuditorDependencies = {
  /** The policy in force. */
  readonly policy: () => Policy;
  readonly journal: Journal<DecisionRow, DecisionOutcome>;
  readonly sequencer: Sequencer;
  /** For reading. */
  readonly pool: pg.Pool;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly limits: ReadLimits;
  readonly recordId: () => string;
  /** Keys content hashes and tokens. */
  readonly key: KeyObject;
  /** Called for each decision that is newly on record. */
  readonly onDecided: (row: DecisionRow) => void;
  readonly log: Logger;
};

/** A CheckWrite is answered within this (spec 002 §21); its own budget for recording is shorter. */
const budgetMs = 500;

/** gov.parameterchangeauditor: the RPCs it serves. */
export function createAuditor(dependencies: AuditorDependencies): readonly Rpc[] {
  const { method } = ParameterChangeAuditorService;
  return [
    unary(method.checkWrite, budgetMs, createCheckWrite(dependencies)),
    unary(method.listParameterChanges, 10_000, createDecisionList(dependencies)),
    serverStream(method.exportParameterChanges, createDecisionExport(dependencies)),
  ];
}
