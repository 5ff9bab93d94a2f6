/** How Postgres is asked to end, and for how long: with all written and its clients sent away; as by a crash; at once. */
export const STOP_STEPS = [
  { signal: "SIGINT", waitMs: 10_000 },
  { signal: "SIGQUIT", waitMs: 5_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
] as const;
