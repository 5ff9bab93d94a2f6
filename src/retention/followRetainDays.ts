import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { repeat } from "../repeat.ts";
import { loadRetainDays, type RetainDays } from "./retainDays.ts";

/** A raise on another replica is seen here within this and a query. */
const pollEveryMs = 1_000;

/**
 * Keeps the values of a bot's retention parameter at hand; none before they were read for the first time.
 * While the database is away, those known last stay. Disposing stops it.
 */
export function followRetainDays(
  pool: pg.Pool,
  bot: string,
  log: Logger,
): AsyncDisposable & {
  readonly history: () => RetainDays;
  /** Reads them now. */
  load(queries: Pick<pg.ClientBase, "query">): Promise<void>;
} {
  let known: RetainDays = [];

  async function load(queries: Pick<pg.ClientBase, "query">): Promise<void> {
    const now = await loadRetainDays(queries, bot);
    if (now.length !== known.length) known = now; // Rows are only ever added.
  }

  const polling = repeat(pollEveryMs, () =>
    load(pool).catch((cause: unknown) =>
      log.debug({ code: sqlState(cause) }, "what was in force could not be read; it is tried again"),
    ),
  );
  return { history: () => known, load, [Symbol.asyncDispose]: () => polling[Symbol.asyncDispose]() };
}
