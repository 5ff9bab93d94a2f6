import {
  type CheckWriteResponse,
  Durability,
  WriteOutcome,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { failed } from "./connection.ts";
import type { Answer, Content } from "./history.ts";
import { type Caller, pause } from "./load.ts";

/** Writes to one parameter, one after the other; most with a write_id, some sent again, half of them confirmed. */
export async function checkWrites(caller: Caller): Promise<void> {
  const { random } = caller;
  for (let n = 1; !caller.isOver(); n++) {
    const content: Content = {
      bot_slug: "risk.liquidityguard",
      param_name: `limit_${caller.name.replaceAll("-", "_")}`,
      old_value_json: String(n - 1),
      new_value_json: String(n),
      editor_id: "alice@polytraders",
      write_id: random.chance(0.8) ? `${caller.name}-${n}` : null,
      recorded_by: caller.subject,
    };
    let answer = await checkWrite(caller, content, n);
    // Without a write_id a second try is another decision.
    for (let again = 0; again < 2 && content.write_id !== null && !caller.isOver(); again++) {
      if (!random.chance(answer.kind === "acked" ? 0.05 : 0.5)) break;
      answer = await checkWrite(caller, content, n);
    }
    if (answer.kind === "acked" && answer.recordId !== undefined && random.chance(0.5)) {
      await confirmWrite(caller, answer.recordId);
    }
    await pause(caller);
  }
}

/** What a config store waits for a verdict (spec 002 §21). */
const deadlineMs = 500;

let anonymous = 0;

export async function checkWrite(caller: Caller, content: Content, n: number): Promise<Answer> {
  const { replica, connection } = caller.way();
  const call = caller.history.sent({
    method: "CheckWrite",
    id: content.write_id === null ? `${caller.name}-${n} without id ${++anonymous}` : `${content.write_id}`,
    content,
    orderKey: content.param_name ?? undefined,
    replica,
  });
  const request = {
    botSlug: content.bot_slug ?? "",
    paramName: content.param_name ?? "",
    oldValueJson: content.old_value_json ?? "null",
    newValueJson: content.new_value_json ?? "null",
    editorId: content.editor_id ?? "",
    writeId: content.write_id ?? "",
  };
  const answer = await connection
    .call(ParameterChangeAuditorService.method.checkWrite, request, deadlineMs)
    .then(judged, failed);
  caller.history.answered(call, answer);
  return answer;
}

function judged({ durability, decisionId }: CheckWriteResponse): Answer {
  switch (durability) {
    case Durability.DURABLE:
      return { kind: "acked", durability: "durable", recordId: decisionId };
    case Durability.BUFFERED:
      return { kind: "acked", durability: "buffered", recordId: decisionId };
    default:
      return { kind: "not_recorded" };
  }
}

async function confirmWrite(caller: Caller, decisionId: string): Promise<void> {
  const { replica, connection } = caller.way();
  const call = caller.history.sent({
    method: "ConfirmWrite",
    id: decisionId,
    content: { decision_id: decisionId, outcome: "APPLIED" },
    orderKey: undefined,
    replica,
  });
  const request = { decisionId, outcome: WriteOutcome.APPLIED };
  const answer = await connection
    .call(ParameterChangeAuditorService.method.confirmWrite, request, 1_000)
    .then(({ durability }): Answer => {
      if (durability === Durability.NOT_RECORDED) return { kind: "not_recorded" };
      return { kind: "acked", durability: durability === Durability.BUFFERED ? "buffered" : "durable" };
    }, failed);
  caller.history.answered(call, answer);
}
