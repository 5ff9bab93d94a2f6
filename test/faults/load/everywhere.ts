import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Replica } from "../parts/replica.ts";
import type { Stage } from "../stage.ts";
import { actionRequest } from "./actions.ts";
import { connect, failed } from "./connection.ts";
import type { Answer, Content } from "./history.ts";

/**
 * The same events on every one of the replicas: one after the other in any order, or at the same moment. Every second
 * event has content of its own on each.
 */
export async function recordEverywhere(
  stage: Stage,
  replicas: readonly Replica[],
  { name, events, atOnce }: { readonly name: string; readonly events: number; readonly atOnce: boolean },
): Promise<void> {
  const ways = await Promise.all(
    replicas.map(async (replica) => ({
      replica: replica.name,
      connection: connect(replica.grpcPort, await replica.token("bot", "everywhere")),
    })),
  );
  const record = async (i: number, { replica, connection }: (typeof ways)[number]) => {
    const content: Content = {
      event_id: `${name}-${i}`,
      wallet: `0x${"1".repeat(40)}`,
      session_id: `${name}-${i}`,
      action_type: "HALT",
      params_json: i % 2 === 0 ? "{}" : `{"by":"${replica}"}`,
      trace_id: null,
    };
    const call = stage.history.sent({
      method: "RecordUserAction",
      id: content.event_id ?? "",
      content,
      orderKey: undefined,
      replica,
    });
    const answer = await connection
      .call(UserActivityLedgerService.method.recordUserAction, actionRequest(content), 3_000)
      .then(({ outcome }): Answer => {
        const durability = outcome === RecordOutcome.BUFFERED ? "buffered" : "durable";
        return { kind: "acked", durability };
      }, failed);
    stage.history.answered(call, answer);
  };
  await Promise.all(
    Array.from({ length: events }, async (_, i) => {
      const order = stage.random.chance(0.5) ? ways : ways.toReversed();
      if (atOnce) await Promise.all(order.map((way) => record(i, way)));
      else for (const way of order) await record(i, way);
    }),
  );
  for (const { connection } of ways) connection[Symbol.dispose]();
}
