import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import type { Basis, Month } from "./months.ts";
import { recordStep, type Step } from "./runs.ts";

/** One pass over the tables: the run it belongs to, and the connection it works on. */
export type Pass = {
  readonly client: pg.Client;
  readonly basis: Basis;
  readonly runId: string;
  readonly isDry: boolean;
  /** The earlier of the service's clock and the database's when the run began, microseconds. */
  readonly nowMicros: number;
  readonly steps: Step[];
  readonly log: Logger;
};

/** Tells a step, and records it unless the run is dry; inside a transaction, with what it does. */
export async function take(pass: Pass, step: Step): Promise<void> {
  if (!pass.isDry) await recordStep(pass.client, pass.runId, step, pass.nowMicros);
  pass.steps.push(step);
}

/** Notes for whoever reads the log in pieces that the month goes, or is just going. */
export async function noteRewrite(
  pass: Pass,
  { table, month }: Month,
  phase: "detaching " | "",
): Promise<void> {
  await pass.client.query("select maintenance.note_rewrite('purge', $1, $2::date, null)", [
    `${phase}${table.name}`,
    `${month}-01`,
  ]);
}

/** Nobody waits behind the purge for longer than this. */
const lockTimeoutMs = 200;
const attempts = 50;
const pauseMs = 100;

const lockNotAvailable = "55P03";
const deadlockDetected = "40P01";

/**
 * Runs in a transaction that waits for locks only briefly, again and again while others have them. Answers
 * undefined when they would not let go; the next run tries again. Steps told meanwhile are those of the
 * attempt that was committed.
 */
export async function inTransaction<T>(pass: Pass, use: () => Promise<T>): Promise<T | undefined> {
  const told = pass.steps.length;
  return patiently(pass, async () => {
    pass.steps.length = told;
    await pass.client.query("begin");
    try {
      await pass.client.query(`set local lock_timeout = ${lockTimeoutMs}`);
      const result = await use();
      await pass.client.query("commit");
      return result;
    } catch (cause) {
      pass.steps.length = told;
      // The cause says more than a rollback that fails with it.
      await pass.client.query("rollback").catch(() => undefined);
      throw cause;
    }
  });
}

/** Runs until no lock is in the way; undefined when that does not come to pass. */
export async function patiently<T>(pass: Pass, use: () => Promise<T>): Promise<T | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await use();
    } catch (cause) {
      const state = sqlState(cause);
      if (state !== lockNotAvailable && state !== deadlockDetected) throw cause;
      if (attempt === attempts) {
        pass.log.warn({ runId: pass.runId }, "others hold their locks on a month; the next run tries again");
        return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** No partition is made meanwhile. */
export const lockPartitions = "select pg_advisory_xact_lock(hashtextextended('governance.partitions', 0))";
