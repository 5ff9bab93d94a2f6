import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { actionRequest } from "../load/actions.ts";
import { connect, failed } from "../load/connection.ts";
import type { Answer, Content } from "../load/history.ts";
import { startNetwork } from "../parts/proxy.ts";
import { startReplica } from "../parts/replica.ts";
import type { Scenario } from "../scenario.ts";

const events = 60;

/** R23: one replica spools what the other commits; the same content folds, other content is a conflict. */
export const twoReplicas: Scenario = {
  kind: "staged",
  name: "two-replicas",
  fault: "one replica is cut off and spools what the other commits, with the same and other content",
  rounds: 1,
  async play(stage, rounds) {
    const { postgres, replica } = stage;
    // The other has a way to Postgres of its own, which stays whole.
    await using network = await startNetwork(() => postgres.socket);
    await using other = await startReplica({
      name: "r2",
      folder: join(stage.folder, "other"),
      ...(stage.root === undefined ? {} : { root: stage.root }),
      settings: {
        DATABASE_URL: network.through(postgres.url("service")),
        GOVERNANCE_SCRUB_KEY_FILE: join(stage.folder, "record.key"),
      },
    });
    for (let round = 0; round < rounds; round++) {
      stage.network.change({ kind: "cut" });
      stage.injected();
      await sleep(200);
      const replicas = [replica, other] as const;
      const connections = await Promise.all(
        replicas.map(async (each) => connect(each.grpcPort, await each.token("bot", "pair"))),
      );
      await Promise.all(
        Array.from({ length: events }, async (_, i) => {
          for (const at of stage.random.chance(0.5) ? [0, 1] : [1, 0]) {
            const connection = connections[at];
            const name = replicas[at]?.name ?? "";
            if (connection === undefined) continue;
            const content: Content = {
              event_id: `pair-${round}-${i}`,
              wallet: `0x${"1".repeat(40)}`,
              session_id: `pair-${i}`,
              action_type: "HALT",
              params_json: i % 2 === 0 ? "{}" : `{"by":"${name}"}`,
              trace_id: null,
            };
            const call = stage.history.sent({
              method: "RecordUserAction",
              id: content.event_id ?? "",
              content,
              orderKey: undefined,
              replica: name,
            });
            const answer = await connection
              .call(UserActivityLedgerService.method.recordUserAction, actionRequest(content), 3_000)
              .then(({ outcome }): Answer => {
                const durability = outcome === RecordOutcome.BUFFERED ? "buffered" : "durable";
                return { kind: "acked", durability };
              }, failed);
            stage.history.answered(call, answer);
          }
        }),
      );
      for (const connection of connections) connection[Symbol.dispose]();
      stage.network.change({ kind: "fair" });
      await stage.recovered(10_000);
    }
  },
};
