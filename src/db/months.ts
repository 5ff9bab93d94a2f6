import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { sqlState } from "./pool.ts";

const monthsAhead = 2;
const everyMs = 60 * 60 * 1000;

/**
 * Keeps this month's partitions and the next ones' ready, so that no record waits for one to be made at
 * midnight. Disposing stops it.
 */
export async function keepMonths(pool: pg.Pool, clock: Clock, log: Logger): Promise<AsyncDisposable> {
  async function ensure(): Promise<void> {
    const now = new Date(clock.nowMicros() / 1000);
    for (let ahead = 0; ahead <= monthsAhead; ahead++) {
      const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1));
      await pool.query("select maintenance.ensure_month($1::timestamptz)", [month.toISOString()]);
    }
  }

  await ensure();
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = ensure().catch((cause: unknown) => {
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
