import { setTimeout as sleep } from "node:timers/promises";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { acked, actionRequest } from "../load/actions.ts";
import { connect, failed } from "../load/connection.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const clients = 1_000;
/** More would be a pool without bounds. */
const mostSessions = 60;

/** How much longer the slowest hundredth may take than with a Postgres that was there all the time. */
const mostTimes = 2;

export const herd: Scenario = {
  kind: "staged",
  name: "recovery-herd",
  fault: "1,000 clients connect anew and call at once, as Postgres comes back",
  rounds: 2,
  async play(stage, rounds) {
    const token = await stage.replica.token("bot", "herd");
    await wave(stage, token, "warm");
    const times: { during: number; after: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = await wave(stage, token, `before-${round}`);
      await stage.postgres.kill("all");
      stage.injected();
      await sleep(500);
      const [during] = await Promise.all([wave(stage, token, `herd-${round}`), stage.postgres.start()]);
      const [{ sessions } = { sessions: "0" }] = await stage.postgres.query<{ sessions: string }>(
        "select count(*) as sessions from pg_stat_activity where application_name like 'governance%'",
      );
      await stage.recovered(5_000);
      const after = await wave(stage, token, `after-${round}`);
      stage.note(
        `p99 of ${clients} clients before, as Postgres comes back, and after: ${before}, ${during} and ${after} ms, over ${sessions} sessions`,
      );
      if (Number(sessions) > mostSessions) stage.found("recovery", `the service holds ${sessions} sessions`);
      times.push({ during: during / before, after: after / before });
    }
    // What the service does shows in every round, what else the machine does in one of them.
    for (const when of ["during", "after"] as const) {
      const least = Math.min(...times.map((round) => round[when]));
      if (least > mostTimes)
        stage.found("late", `${when} recovery the p99 is ${least.toFixed(1)} times that of before`);
    }
  },
};

/** Each client connects, and calls until it is told that its record is kept. Answers the p99, milliseconds. */
async function wave(stage: Stage, token: string, name: string): Promise<number> {
  const tooks = await Promise.all(
    Array.from({ length: clients }, async (_, i) => {
      using connection = connect(stage.replica.grpcPort, token);
      const id = `${name}-${i}`;
      const content = {
        event_id: id,
        wallet: `0x${i.toString(16).padStart(40, "0")}`,
        session_id: id,
        action_type: "HALT",
        params_json: "{}",
        trace_id: null,
      };
      // As a stream's, which is not judged by its time: connecting a thousand times takes the suite itself so long.
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
          .then(acked, failed);
        stage.history.answered(call, answer);
        if (answer.kind === "acked") return performance.now() - startedMs;
        await sleep(stage.random.between(50, 250));
      }
    }),
  );
  return Math.round(tooks.toSorted((a, b) => a - b)[Math.ceil(clients * 0.99) - 1] ?? 0);
}
