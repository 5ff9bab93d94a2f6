/** How Postgres is asked to end, and for how long: with all written and its clients sent away; as by a crash; at once. */
export const STOP_STEPS = [
  { signal: "SIGINT", waitMs: 10_000 },
  { signal: "SIGQUIT", waitMs: 5_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
] as const;

export type StopSteps = readonly { readonly signal: NodeJS.Signals; readonly waitMs: number }[];

/** The same in less time; what is committed is kept either way. */
export function stopStepsWithin(ms: number): StopSteps {
  return [
    { signal: "SIGINT", waitMs: Math.max(0, ms - 1_000) },
    { signal: "SIGQUIT", waitMs: 500 },
    { signal: "SIGKILL", waitMs: 500 },
  ];
}
