import type { Measurement } from "../comparison.ts";
import type { LoadResult } from "../load/job.ts";

/** The load generator's rate, with its latencies and its own CPU time beside it. */
export function rate({ perSecond, p50Us, p99Us, maxUs, clientCores }: LoadResult): Measurement {
  return { value: perSecond, details: { p50Us, p99Us, maxUs, clientCores } };
}

/** The load generator's 99th percentile in µs, with the rest beside it. */
export function p99({ perSecond, p50Us, p99Us, maxUs, clientCores }: LoadResult): Measurement {
  return { value: p99Us, details: { perSecond, p50Us, maxUs, clientCores } };
}
