import { setTimeout as sleep } from "node:timers/promises";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { actionRequest } from "../load/actions.ts";
import { connect, failed } from "../load/connection.ts";
import type { Answer } from "../load/history.ts";
import type { Scenario } from "../scenario.ts";

const clients = 1_000;
/** More would be a pool without bounds. */
const mostSessions = 60;

export const herd: Scenario = {
  kind: "staged",
  name: "recovery-herd",
  fault: "1,000 clients connect anew and call at once, as Postgres comes back",
  rounds: 1,
  async play(stage, rounds) {
    const token = await stage.replica.token("bot", "herd");
    for (let round = 0; round < rounds; round++) {
      await stage.postgres.kill("all");
      stage.injected();
      await sleep(500);
      const back = stage.postgres.start();
      const tooks = await Promise.all(
        Array.from({ length: clients }, async (_, i) => {
          using connection = connect(stage.replica.grpcPort, token);
          const id = `herd-${round}-${i}`;
          const content = {
            event_id: id,
            wallet: `0x${i.toString(16).padStart(40, "0")}`,
            session_id: id,
            action_type: "HALT",
            params_json: "{}",
            trace_id: null,
          };
          // Connecting a thousand times takes the suite itself its time: the promise is about what is answered.
          const startedMs = performance.now();
          for (;;) {
            const call = stage.history.sent({
              method: "StreamUserActions",
              id,
              content,
              orderKey: undefined,
              replica: "r1",
            });
            const answer = await connection
              .call(UserActivityLedgerService.method.recordUserAction, actionRequest(content), 10_000)
              .then((): Answer => ({ kind: "acked", durability: "durable" }), failed);
            stage.history.answered(call, answer);
            if (answer.kind === "acked") return performance.now() - startedMs;
            await sleep(stage.random.between(50, 250));
          }
        }),
      );
      await back;
      const [{ sessions } = { sessions: "0" }] = await stage.postgres.query<{ sessions: string }>(
        "select count(*) as sessions from pg_stat_activity where application_name like 'governance%'",
      );
      stage.note(
        `the last of ${clients} was recorded after ${Math.round(Math.max(...tooks))} ms, over ${sessions} sessions`,
      );
      if (Number(sessions) > mostSessions) stage.found("recovery", `the service holds ${sessions} sessions`);
      await stage.recovered(5_000);
    }
  },
};
