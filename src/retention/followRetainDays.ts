import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { loadRetainDays, type RetainDays } from "./retainDays.ts";

/** A raise on another replica is seen here within this and a query. */
const pollEveryMs = 1_000;

/**
 * Keeps the values of a bot's retention parameter at hand. While the database is away, those known last
 * stay. Disposing stops it.
 */
export async function followRetainDays(
  pool: pg.Pool,
  bot: string,
  log: Logger,
): Promise<AsyncDisposable & { readonly history: () => RetainDays }> {
  let known = await loadRetainDays(pool, bot);
  const closing = new AbortController();

  async function run(): Promise<void> {
    for (;;) {
      await sleep(pollEveryMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      if (closing.signal.aborted) return;
      try {
        const now = await loadRetainDays(pool, bot);
        if (now.length !== known.length) known = now; // Rows are only ever added.
      } catch (cause) {
        log.debug({ code: sqlState(cause) }, "what was in force could not be read; it is tried again");
      }
    }
  }

  const running = run();
  return {
    history: () => known,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await running;
    },
  };
}
