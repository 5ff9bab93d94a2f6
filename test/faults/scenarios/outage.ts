import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";

/** Spec 002 §19 and §21: 10 minutes, 200 changes, 50 in flight. --hold 600 takes the ten minutes. */
export const outage: Scenario = {
  kind: "staged",
  name: "outage",
  fault: "Postgres is stopped while 50 writes and 50 actions are in flight",
  setting: { crowd: { actions: 50, streams: 2, fills: 4, writes: 50, paceMs: 200 } },
  rounds: 1,
  async play(stage, rounds, { holdMs }) {
    for (let round = 0; round < rounds; round++) {
      await stage.load();
      await sleep(300);
      await stage.postgres.kill("all");
      stage.injected();
      const before = stage.history.calls.length;
      await sleep(holdMs ?? 4_000);
      const during = stage.history.calls.slice(before).filter(({ method }) => method === "CheckWrite").length;
      stage.note(`${during} changes were submitted meanwhile`);
      await stage.postgres.start();
      await stage.recovered(20_000);
      await stage.stopLoad();
    }
  },
};
