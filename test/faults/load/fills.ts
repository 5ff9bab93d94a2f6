import {
  type RecordExecutionReportResponse,
  RecordOutcome,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { failed } from "./connection.ts";
import type { Answer, Content } from "./history.ts";
import { type Caller, pause } from "./load.ts";

/** Fills, one after the other: half of them of traces that a caller of actions may use; some twice. */
export async function recordFills(caller: Caller): Promise<void> {
  const { random } = caller;
  const actions = caller.name.replace("fills", "actions");
  for (let n = 1; !caller.isOver(); n++) {
    const content = {
      fill_id: `${caller.name}-${n}`,
      trace_id: random.chance(0.5) ? `trace-${actions}-${random.between(n, n + 5)}` : null,
      status: "MATCHED",
      size: String(random.between(1, 1000)),
      price: `0.${random.between(1, 99)}`,
    };
    const answer = await record(caller, content);
    if (random.chance(answer.kind === "acked" ? 0.05 : 0.7)) await record(caller, content);
    await pause(caller);
  }
}

async function record(caller: Caller, content: Content): Promise<Answer> {
  const { replica, connection } = caller.way();
  const call = caller.history.sent({
    method: "RecordExecutionReport",
    id: content.fill_id ?? "",
    content,
    orderKey: undefined,
    replica,
  });
  const { fill_id: fillId, trace_id: traceId, status, size, price } = content;
  const request = {
    fillId: fillId ?? "",
    traceId: traceId ?? "",
    status: status ?? "",
    size: size ?? "",
    price: price ?? "",
  };
  const answer = await connection
    .call(UserActivityLedgerService.method.recordExecutionReport, request, 3_000)
    .then(acked, failed);
  caller.history.answered(call, answer);
  return answer;
}

function acked({ outcome }: RecordExecutionReportResponse): Answer {
  return { kind: "acked", durability: outcome === RecordOutcome.BUFFERED ? "buffered" : "durable" };
}
