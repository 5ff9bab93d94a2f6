import type pg from "pg";
import { Failure } from "../server/failure.ts";
import { sqlState } from "./pool.ts";

/** The names of the statements that were read with so far: as many as there are combinations of filters. */
const names = new Map<string, string>();

/**
 * Every statement is prepared, under the name of its text: over years of monthly partitions, planning
 * takes twenty times as long as reading a page.
 */
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = `read ${names.size + 1}`;
    names.set(text, name);
  }
  return name;
}

/**
 * Runs a query for a reader. Throws STORE_UNAVAILABLE when the database is away, too slow, starting or
 * stopping; anything else is a defect and passes as it is, for the log alone.
 */
export async function read<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  query: { name?: string; text: string; values?: unknown[] },
): Promise<Row[]> {
  try {
    return (await pool.query<Row>({ name: nameOf(query.text), ...query })).rows;
  } catch (cause) {
    if (!isAway(cause)) throw cause;
    throw new Failure("STORE_UNAVAILABLE", "the store cannot be read now", { retryAfterMs: 1000, cause });
  }
}

/**
 * Connection errors have no SQLSTATE of five characters, but for EPIPE; 08, 53, 57 and 58 are the server's own
 * troubles, 25006 is a standby's, GV001 and GV003 say that the log has to begin a new epoch, GV004 that it does not
 * see all of its records now.
 */
export function isAway(cause: unknown): boolean {
  const state = sqlState(cause);
  if (state === undefined)
    return cause instanceof Error && /timeout|terminated|ended|not queryable/i.test(cause.message);
  return state.length !== 5 || /^(08|25006|53|55P03|57|58|GV00[134]|EPIPE)/.test(state);
}
