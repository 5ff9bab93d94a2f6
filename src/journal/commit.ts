import type pg from "pg";
import { sqlState } from "../db/pool.ts";
import type { Writer } from "./writer.ts";

/** The database could not take the rows inside the budget. */
export class StoreUnavailable extends Error {}

/** Nor could the spool: it is full, its disk fails, or too much waits for it. */
export class SpoolRefused extends StoreUnavailable {}

const missingPartition = "23514";
const retryable = new Set(["40001", "40P01"]);
/** The server is there and refuses these rows: bad data, a constraint, a lost race, a limit of its own. */
const plainRefusal = /^(2[23]|40|54)/;

/** Whether the server refused the rows for what they are: sent again they would be refused again. */
export function isRefusal(cause: unknown): boolean {
  return plainRefusal.test(sqlState(cause) ?? "");
}

/** Whether the server refused them for something that passes: another transaction was in the way. */
export function isLostRace(cause: unknown): boolean {
  return sqlState(cause)?.startsWith("40") === true;
}

/** How a kind of record is written. */
export type Write<Row, Outcome> = {
  readonly name: string;
  /** One statement that stores the rows, and commits by itself. */
  readonly write: (client: pg.Client, rows: readonly Row[]) => Promise<readonly Outcome[]>;
  /** About what the row's long texts take in memory; undefined: its rows are short. */
  readonly bytesOf?: (row: Row) => number;
  /** When the row was accepted, microseconds: its partition. */
  readonly acceptedMicros: (row: Row) => number;
  /** The tables that need that partition: those alone are made inside the budget when it is missing. */
  readonly tables: readonly string[];
};

/**
 * Writes a batch over a connection, each attempt within the budget, milliseconds. Throws what the server refuses as
 * it is, and StoreUnavailable for anything else: the connection is given up then, and what became of the rows
 * is unknown.
 */
export async function commit<Row, Outcome>(
  of: Write<Row, Outcome>,
  writer: Writer,
  rows: readonly Row[],
  budgetMs: number,
): Promise<readonly Outcome[]> {
  const write = () => attempt(writer, budgetMs, (client) => of.write(client, rows));
  try {
    return await write();
  } catch (cause) {
    const state = sqlState(cause);
    if (state === missingPartition)
      await attempt(writer, budgetMs, (client) => ensureMonths(client, of, rows));
    else if (state === undefined || !retryable.has(state)) throw cause;
    return write();
  }
}

/** Uses the connection within the budget; throws as `commit` does. */
export async function attempt<T>(
  writer: Writer,
  budgetMs: number,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const answered = writer.run(use);
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StoreUnavailable(`no answer from the database within ${budgetMs} ms`)),
      budgetMs,
    );
  });
  try {
    return await Promise.race([answered, overdue]);
  } catch (cause) {
    answered.catch(() => undefined); // When the budget was over first, its end is not unhandled.
    if (isRefusal(cause)) throw cause;
    // A server that cannot write now may be the wrong one by now: the next attempt connects anew.
    writer.abandon();
    throw cause instanceof StoreUnavailable ? cause : new StoreUnavailable("the database is away", { cause });
  } finally {
    clearTimeout(timer);
  }
}

async function ensureMonths<Row>(
  client: pg.Client,
  { acceptedMicros, tables }: Pick<Write<Row, unknown>, "acceptedMicros" | "tables">,
  rows: readonly Row[],
): Promise<void> {
  const months = new Set(rows.map((row) => new Date(acceptedMicros(row) / 1000).toISOString().slice(0, 7)));
  for (const month of months) {
    await client.query("select maintenance.ensure_month($1::timestamptz, $2::text[])", [
      `${month}-01T00:00:00Z`,
      tables,
    ]);
  }
}
