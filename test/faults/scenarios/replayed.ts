import { setTimeout as sleep } from "node:timers/promises";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { actionRequest } from "../load/actions.ts";
import { connect, failed } from "../load/connection.ts";
import type { Scenario } from "../scenario.ts";

export const replayed: Scenario = {
  kind: "staged",
  name: "replayed-three-times",
  fault: "every event is sent three times more, twice of them while Postgres is killed",
  rounds: 3,
  async play(stage, rounds) {
    await stage.load();
    await sleep(700);
    await stage.stopLoad();
    const once = stage.history.calls.filter(
      ({ method, answer }) => method === "RecordUserAction" && answer?.kind === "acked",
    );
    using connection = connect(stage.replica.grpcPort, await stage.replica.token("bot", "replayer"));
    for (let round = 0; round < rounds; round++) {
      if (round > 0) {
        await stage.postgres.kill("postmaster");
        stage.injected();
      }
      const back = round === 0 ? undefined : sleep(200).then(() => stage.postgres.start());
      await Promise.all(
        once.map(async ({ id, content }) => {
          const call = stage.history.sent({
            method: "RecordUserAction",
            id,
            content,
            orderKey: undefined,
            replica: stage.replica.name,
          });
          const answer = await connection
            .call(UserActivityLedgerService.method.recordUserAction, actionRequest(content), 3_000)
            .then(() => ({ kind: "acked", durability: "durable" }) as const, failed);
          stage.history.answered(call, answer);
        }),
      );
      await back;
      await stage.recovered(10_000);
    }
  },
};
