import {
  RecordOutcome,
  type RecordUserActionResponse,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { failed } from "./connection.ts";
import type { Answer, Content } from "./history.ts";
import { type Caller, pause } from "./load.ts";

const types = ["STRATEGY_START", "STRATEGY_STOP", "PARAMETER_CHANGE", "HALT", "OVERRIDE"] as const;

/** An action of a caller's n-th; `other` gives the same event another content. */
export function actionContent(caller: Caller, n: number, other = false): Content {
  // One wallet a session: order is kept by both (R23).
  const wallet = `0x${Buffer.from(caller.name).toString("hex").padStart(40, "0").slice(-40)}`;
  return {
    event_id: `${caller.name}-${n}`,
    wallet,
    session_id: `session-${caller.name}`,
    action_type: caller.random.pick(types),
    params_json: JSON.stringify({ n, by: caller.name, size: caller.random.between(1, 1e6), other }),
    trace_id: caller.random.chance(0.3) ? `trace-${caller.name}-${n}` : null,
  };
}

/** The content as a request's fields. */
export function actionRequest(content: Content) {
  return {
    eventId: content.event_id ?? "",
    wallet: content.wallet ?? "",
    sessionId: content.session_id ?? "",
    actionType: content.action_type ?? "",
    paramsJson: content.params_json ?? "null",
    traceId: content.trace_id ?? "",
  };
}

/** Actions of one session, one after the other; some twice, some again after an error, a few with other content. */
export async function recordActions(caller: Caller): Promise<void> {
  const { random } = caller;
  for (let n = 1; !caller.isOver(); n++) {
    const content = actionContent(caller, n);
    const answer = await recordUntilAcked(caller, content);
    if (answer.kind === "acked" && random.chance(0.05)) await record(caller, content);
    if (random.chance(0.01)) await record(caller, actionContent(caller, n, true));
    await pause(caller);
  }
}

/** Sends the same again after an error, as a bot does, but not for ever. */
async function recordUntilAcked(caller: Caller, content: Content): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await record(caller, content);
    if (answer.kind === "acked" || attempt === 3 || caller.isOver() || caller.random.chance(0.3))
      return answer;
    await pause(caller);
  }
}

async function record(caller: Caller, content: Content): Promise<Answer> {
  const { replica, connection } = caller.way();
  const call = caller.history.sent({
    method: "RecordUserAction",
    id: content.event_id ?? "",
    content,
    orderKey: content.session_id ?? undefined,
    replica,
  });
  const answer = await connection
    .call(UserActivityLedgerService.method.recordUserAction, actionRequest(content), 3_000)
    .then(acked, failed);
  caller.history.answered(call, answer);
  return answer;
}

/** What a caller takes from its answer. */
export function acked({ outcome, report }: RecordUserActionResponse): Answer {
  const recordId = report?.reportId.replace(/^.*_/, "") ?? "";
  return { kind: "acked", durability: outcome === RecordOutcome.BUFFERED ? "buffered" : "durable", recordId };
}
