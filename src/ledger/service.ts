import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { SettlementReport } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import {
  type RecordUserActionRequest,
  type RecordUserActionResponse,
  RecordOutcome,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import { contentHash } from "../contentHash.ts";
import { type Journal, StoreUnavailable } from "../journal/journal.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import { bidiStream, type CallContext, type Rpc, serverStream, unary } from "../server/call.ts";
import { Failure } from "../server/failure.ts";
import { type Action, parseAction } from "./action.ts";
import type { ActionRow, AppendOutcome } from "./append.ts";
import { createActionExport } from "./export.ts";
import { createActionList } from "./list.ts";
import { readAction } from "./read.ts";
import { type RecordedAction, settlementReport } from "./report.ts";
import { retainedUntilDay } from "./retention.ts";
import { createActionStream } from "./stream.ts";

/** The ledger's parameters in force (spec 001 §6, §8). */
export type LedgerSettings = {
  readonly mode: "shadow_only" | "enforce";
  readonly retainDays: number;
  readonly scrubOnAccountClose: boolean;
  readonly publishToUser: boolean;
};

export type LedgerDependencies = {
  readonly settings: () => LedgerSettings;
  readonly journal: Journal<ActionRow, AppendOutcome>;
  readonly sequencer: Sequencer;
  /** For reading. */
  readonly pool: pg.Pool;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly limits: ReadLimits;
  readonly recordId: () => string;
  /** Keys content hashes and tokens. */
  readonly key: KeyObject;
  /** Called for each action that is newly in the ledger. */
  readonly onRecorded: (actionType: string) => void;
};

/** Each ledger call is answered within this (spec 001 §21). */
const budgetMs = 1000;

/** gov.useractivityledger: the RPCs it serves. */
export function createLedger(dependencies: LedgerDependencies): readonly Rpc[] {
  const { method } = UserActivityLedgerService;
  const { journal } = dependencies;

  async function recordUserAction(
    request: RecordUserActionRequest,
    context: CallContext,
  ): Promise<RecordUserActionResponse> {
    const row = actionRow(parseAction(request, ""), context.caller.subject, dependencies);
    const [outcome] = await store(journal, `${row.action.wallet} ${row.action.sessionId}`, [row]);
    if (outcome === undefined) throw new Error("the journal answered nothing for a row");
    switch (outcome.kind) {
      case "conflict":
        throw conflict(row.action.eventId);
      case "duplicate": {
        const first = (await readAction(dependencies.pool, row.action.eventId)) ?? recordedAs(row, outcome);
        return answer(RecordOutcome.DUPLICATE, settlementReport(first));
      }
      case "recorded":
        dependencies.sequencer.nudge();
        dependencies.onRecorded(row.action.actionType);
        return answer(RecordOutcome.RECORDED, settlementReport(recordedAs(row, row), request.params));
    }
  }

  return [
    unary(method.recordUserAction, budgetMs, recordUserAction),
    bidiStream(method.streamUserActions, createActionStream(dependencies)),
    unary(method.listUserActions, 10_000, createActionList(dependencies)),
    serverStream(method.exportUserActions, createActionExport(dependencies)),
  ];
}

/** An action on its way into the journal, accepted now. */
export function actionRow(
  action: Action,
  recordedBy: string,
  dependencies: Pick<LedgerDependencies, "clock" | "recordId" | "key" | "settings">,
  bookmark?: ActionRow["bookmark"],
): ActionRow {
  const acceptedMicros = dependencies.clock.nowMicros();
  return {
    action,
    recordId: dependencies.recordId(),
    acceptedMicros,
    retainedUntil: retainedUntilDay(acceptedMicros, dependencies.settings().retainDays),
    recordedBy,
    contentHash: contentHash(dependencies.key, [
      action.wallet.toLowerCase(),
      action.sessionId,
      action.actionType,
      action.traceId,
      action.params?.canonical ?? null,
      action.occurredAtNs?.toString() ?? null,
      action.sessionSeq?.toString() ?? null,
    ]),
    bookmark,
  };
}

/** Appends to the journal. Throws STORE_UNAVAILABLE when the rows may not be durable. */
export async function store(
  journal: LedgerDependencies["journal"],
  orderKey: string,
  rows: readonly ActionRow[],
): Promise<readonly AppendOutcome[]> {
  try {
    return await journal.append(orderKey, rows);
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    const text = "the ledger cannot take records now; send it again with the same event_id";
    throw new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000, cause });
  }
}

export function conflict(eventId: string): Failure {
  const text = `event_id ${JSON.stringify(eventId)} is on record with other content; nothing was overwritten`;
  return new Failure("EVENT_ID_CONFLICT", text, { metadata: { event_id: eventId } });
}

function answer(outcome: RecordOutcome, report: SettlementReport): RecordUserActionResponse {
  return { $typeName: "polytraders.governance.v1.RecordUserActionResponse", outcome, report };
}

/** The record as a reader will see it, under the id and time of the first one with its event_id. */
function recordedAs(row: ActionRow, first: { recordId: string; acceptedMicros: number }): RecordedAction {
  const { action } = row;
  return {
    recordId: first.recordId,
    acceptedMicros: first.acceptedMicros,
    retainedUntil: row.retainedUntil,
    eventId: action.eventId,
    wallet: action.wallet,
    sessionId: action.sessionId,
    actionType: action.actionType,
    recordedBy: row.recordedBy,
    traceId: action.traceId,
    paramsText: action.params?.text ?? null,
    inexact: action.inexact,
    occurredAtNs: action.occurredAtNs,
    sessionSeq: action.sessionSeq,
    epoch: 0,
    position: 0,
  };
}
