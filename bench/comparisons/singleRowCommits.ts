import type { Context, Measurement } from "../comparison.ts";
import { pgbench } from "../peers/pgbench.ts";
import { plainActionScript, plainActionTable } from "../peers/plainAction.ts";
import { inFlight, warmupMs } from "./callers.ts";

/** The peer of everything that records actions: pgbench's commits per second, a row each. */
export async function singleRowCommits({ database, seconds }: Context): Promise<Measurement> {
  const { transactionsPerSecond, p50Us, p99Us } = await pgbench({
    connection: database,
    setup: plainActionTable,
    script: plainActionScript,
    clients: inFlight,
    warmupSeconds: warmupMs / 1_000,
    seconds,
  });
  return { value: transactionsPerSecond, details: { p50Us, p99Us } };
}
