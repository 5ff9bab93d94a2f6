import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { sqlState } from "./pool.ts";

const monthsAhead = 2;
const everyMs = 60 * 60 * 1000;

/** Makes what is missing of this month's partitions and the next ones'. */
export async function ensureMonths(queries: Pick<pg.ClientBase, "query">, clock: Clock): Promise<void> {
  const now = new Date(clock.nowMicros() / 1000);
  for (let ahead = 0; ahead <= monthsAhead; ahead++) {
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1));
    await queries.query("select maintenance.ensure_month($1::timestamptz)", [month.toISOString()]);
  }
}

/**
 * Makes them again every hour, so that no record waits for one at midnight. The first ones are made by whoever
 * prepares the database. Disposing stops it.
 */
export function keepMonths(pool: pg.Pool, clock: Clock, log: Logger): AsyncDisposable {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = ensureMonths(pool, clock).catch((cause: unknown) => {
      log.warn(
        { code: sqlState(cause) },
        "the next months' partitions could not be made; it is tried again in an hour",
      );
    });
  }, everyMs);
  timer.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
    },
  };
}
