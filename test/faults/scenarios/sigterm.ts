import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";

const stopWithinMs = 10_500;

export const sigterm: Scenario = {
  kind: "staged",
  name: "sigterm",
  fault: "SIGTERM under load, once with Postgres cut off",
  rounds: 2,
  async play(stage, rounds) {
    await stage.load();
    for (let round = 0; round < rounds; round++) {
      await sleep(stage.random.between(200, 700));
      if (round % 2 === 1) stage.network.change({ kind: "cut" });
      const { code, ms } = await stage.replica.stop();
      stage.injected();
      if (code !== 0) stage.found("recovery", `SIGTERM ended the service with ${code}`);
      if (ms > stopWithinMs) stage.found("recovery", `SIGTERM took ${Math.round(ms)} ms`);
      stage.network.change({ kind: "fair" });
      await stage.replica.start();
      await stage.recovered(10_000);
    }
  },
};
