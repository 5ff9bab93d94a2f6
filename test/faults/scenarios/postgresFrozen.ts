import type { Scenario } from "../scenario.ts";

export const postgresFrozen: Scenario = {
  kind: "repeated",
  name: "postgres-frozen",
  fault: "SIGSTOP of all of Postgres",
  rounds: 2,
  calmMs: [200, 600],
  holdMs: [1_000, 2_000],
  recoverWithinMs: 5_000,
  inject: ({ postgres }) => postgres.freeze(),
  heal: ({ postgres }) => postgres.thaw(),
};
