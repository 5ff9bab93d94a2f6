import { setTimeout as sleep } from "node:timers/promises";
import { recordEverywhere } from "../load/everywhere.ts";
import type { Scenario } from "../scenario.ts";

/** R23: one replica spools what the other commits; the same content folds, other content is a conflict. */
export const twoReplicas: Scenario = {
  kind: "staged",
  name: "two-replicas",
  fault: "one replica is cut off and spools what the other commits, with the same and other content",
  rounds: 1,
  setting: { replicas: 2 },
  async play(stage, rounds) {
    for (let round = 0; round < rounds; round++) {
      stage.network.change({ kind: "cut" });
      stage.injected();
      await sleep(200);
      await recordEverywhere(stage, stage.replicas, { name: `pair-${round}`, events: 60, atOnce: false });
      stage.network.change({ kind: "fair" });
      await stage.recovered(10_000);
    }
  },
};
