import type { Scenario } from "../scenario.ts";

export const postgresKilled: Scenario = {
  kind: "repeated",
  name: "postgres-killed",
  fault: "kill -9 of Postgres: its postmaster, a backend, or all of it",
  rounds: 4,
  calmMs: [20, 500],
  holdMs: [0, 600],
  recoverWithinMs: 10_000,
  inject: ({ postgres, random }) => postgres.kill(random.pick(["postmaster", "backend", "all"])),
  heal: ({ postgres }) => postgres.start(),
};
