import type { Measurement } from "../comparison.ts";
import type { LoadResult } from "../load/job.ts";

/** The load generator's rate, with its latencies and its own CPU time beside it. */
export function rate({ perSecond, p50Us, p99Us, maxUs, clientCores }: LoadResult): Measurement {
  return { value: perSecond, details: { p50Us, p99Us, maxUs, clientCores } };
}

/** The 99th percentile of a measured rate in µs, with the rest beside it. */
export function p99Of({ value, details }: Measurement): Measurement {
  const { p99Us = Number.NaN, ...rest } = details ?? {};
  return { value: p99Us, details: { perSecond: value, ...rest } };
}
