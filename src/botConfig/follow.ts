import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { repeat } from "../repeat.ts";
import type { Settings } from "./settings.ts";
import { readStored } from "./store.ts";

/** A change on another replica is in force here after this and a query: all follow within 2 s. */
const pollEveryMs = 500;

/**
 * Keeps the settings to what is stored; while the database is away, what was known last stays in force.
 * Disposing stops it.
 */
export function followStored(options: {
  readonly pool: pg.Pool;
  readonly settings: Settings;
  readonly log: Logger;
}): AsyncDisposable {
  const { pool, settings, log } = options;
  let isAway = false;

  async function poll(): Promise<void> {
    try {
      settings.adopt(await readStored(pool));
      if (isAway) log.info("the stored parameters are followed again");
      isAway = false;
    } catch (cause) {
      if (!isAway) {
        const code = sqlState(cause);
        log.warn({ code }, "the stored parameters cannot be read; those known last stay in force");
      }
      isAway = true;
    }
  }

  return repeat(pollEveryMs, poll);
}
