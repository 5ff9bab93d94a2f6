import { createLatencies } from "../latencies.ts";
import type { LoadResult } from "./job.ts";

/** What the connections of one run add up together. */
export interface Tally {
  /** True when nothing new is to be sent. */
  over(): boolean;
  /** An answer to what was sent at `sentAt` (performance.now()), for `count` calls or events. */
  done(sentAt: number, count: number): void;
  failed(reason: string, count: number): void;
  result(): LoadResult;
}

/** Starts the clock: `warmupMs` not counted, then `durationMs`. */
export function startTally(warmupMs: number, durationMs: number): Tally {
  const latencies = createLatencies();
  const startedAt = performance.now();
  const countFrom = startedAt + warmupMs;
  const countUntil = countFrom + durationMs;
  const cpuBefore = process.cpuUsage();
  let count = 0;
  let failures = 0;
  let firstFailure: string | undefined;
  return {
    over: () => performance.now() >= countUntil,
    done(sentAt, more) {
      const now = performance.now();
      if (now < countFrom || now >= countUntil) return;
      count += more;
      latencies.add((now - sentAt) * 1000);
    },
    failed(reason, more) {
      failures += more;
      firstFailure ??= reason;
    },
    result() {
      const cpu = process.cpuUsage(cpuBefore);
      return {
        count,
        perSecond: (count * 1000) / durationMs,
        failures,
        firstFailure,
        p50Us: latencies.percentileUs(0.5),
        p99Us: latencies.percentileUs(0.99),
        maxUs: latencies.percentileUs(1),
        clientCores: (cpu.user + cpu.system) / 1000 / (performance.now() - startedAt),
      };
    },
  };
}
