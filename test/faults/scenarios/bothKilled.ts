import type { Scenario } from "../scenario.ts";

export const bothKilled: Scenario = {
  kind: "repeated",
  name: "both-killed",
  fault: "kill -9 of the service while Postgres is down; it starts without Postgres",
  rounds: 2,
  calmMs: [100, 500],
  holdMs: [300, 900],
  recoverWithinMs: 15_000,
  async inject({ postgres, replica, random }) {
    await postgres.kill(random.pick(["postmaster", "all"]));
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 600)));
    await replica.kill();
    await replica.start();
  },
  heal: ({ postgres }) => postgres.start(),
};
