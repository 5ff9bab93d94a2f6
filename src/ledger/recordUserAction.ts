import type { SettlementReport } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import {
  RecordOutcome,
  type RecordUserActionRequest,
  type RecordUserActionResponse,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { CallContext } from "../server/call.ts";
import { within } from "../server/within.ts";
import { type Action, parseAction } from "./action.ts";
import type { ActionRow } from "./append.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { readAction } from "./read.ts";
import { type RecordedAction, settlementReport } from "./report.ts";
import { retainedUntilDay } from "./retention.ts";
import { store } from "./store.ts";
import { actionRow, conflict } from "./storeActions.ts";

/** Of a call's time, what is left for the answer itself when Postgres does not say what is on record. */
const answerMs = 50;

/** Single calls commit in one order, in one lane: the more of them share a commit, the less each costs. */
const singleCalls = "single calls";

/** RecordUserAction: one action, answered when it is durable (spec 001 §10). */
export function createRecordUserAction(dependencies: LedgerDependencies) {
  return (request: RecordUserActionRequest, context: CallContext): Promise<RecordUserActionResponse> =>
    recordAction(parseAction(request, ""), request.params, context, dependencies);
}

/**
 * Records one action. `params` are its parameters as doubles, where the caller has them. Throws
 * EVENT_ID_CONFLICT and STORE_UNAVAILABLE.
 */
export async function recordAction(
  action: Action,
  params: RecordUserActionRequest["params"],
  context: CallContext,
  dependencies: LedgerDependencies,
): Promise<RecordUserActionResponse> {
  const row = actionRow(action, context.caller.subject, dependencies);
  const [outcome] = await store(dependencies.journal, singleCalls, [row]);
  if (outcome === undefined) throw new Error("the journal answered nothing for a row");
  switch (outcome.kind) {
    case "conflict":
      throw conflict(row.action.eventId);
    case "duplicate": {
      const leftMs = context.deadlineMs - dependencies.clock.monotonicMs() - answerMs;
      const found = await within(readAction(dependencies.pool, row.action.eventId), leftMs, undefined);
      const { extended } = dependencies.retention;
      if (found !== undefined) return answer(RecordOutcome.DUPLICATE, settlementReport(extended(found)));
      // Purged since, or not to be read now: the same content tells what it said, and its time how long it was kept.
      const retainedUntil = retainedUntilDay(outcome.acceptedMicros, dependencies.settings().retainDays);
      const first = recordedAs({ ...row, retainedUntil }, outcome);
      return answer(RecordOutcome.DUPLICATE, settlementReport(first));
    }
    case "buffered":
      dependencies.onRecorded(row);
      return answer(RecordOutcome.BUFFERED, settlementReport(recordedAs(row, row), params));
    case "recorded":
      dependencies.sequencer.nudge();
      dependencies.onRecorded(row);
      return answer(RecordOutcome.RECORDED, settlementReport(recordedAs(row, row), params));
  }
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
    fillIds: [],
    epoch: 0,
    position: 0,
  };
}
