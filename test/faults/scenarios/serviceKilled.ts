import type { Scenario } from "../scenario.ts";

export const serviceKilled: Scenario = {
  kind: "repeated",
  name: "service-killed",
  fault: "kill -9 of the service",
  rounds: 3,
  calmMs: [50, 800],
  holdMs: [0, 100],
  recoverWithinMs: 10_000,
  inject: ({ replica }) => replica.kill(),
  heal: ({ replica }) => replica.start(),
};
