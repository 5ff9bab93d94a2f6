import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { createLane, type Lane } from "./lane.ts";

/** Makes records durable: resolves once they are committed and fsynced. */
export type Journal<Row, Outcome> = {
  /**
   * Rows with the same order key commit in the order of their calls. Rejects with StoreUnavailable when
   * the database did not take them inside the budget; whether it did later is then unknown, and the
   * rows' own ids make a retry safe.
   */
  append(orderKey: string, rows: readonly Row[]): Promise<readonly Outcome[]>;
  /** Rows that wait or are under way. */
  readonly depth: number;
  /** Resolves when everything taken was answered. */
  drained(): Promise<void>;
};

/** The database could not take the rows inside the budget. */
export class StoreUnavailable extends Error {}

/** The database refused this row for what it contains: a bound is missing at the edge. */
export class RowRefused extends Error {}

const missingPartition = "23514";
const retryable = new Set(["40001", "40P01"]);

export function createJournal<Row, Outcome>(options: {
  readonly pool: pg.Pool;
  /** One statement that stores the rows, and commits by itself. */
  readonly write: (client: pg.PoolClient, rows: readonly Row[]) => Promise<readonly Outcome[]>;
  /** When the row was accepted, microseconds: its partition. */
  readonly acceptedMicros: (row: Row) => number;
  /** Commits under way at a time; one order key always takes the same lane. */
  readonly lanes: number;
  readonly maxRows: number;
  readonly budgetMs: number;
  readonly onBatch?: (rows: number) => void;
  readonly log: Logger;
}): Journal<Row, Outcome> {
  const lanes: Lane<Row, Outcome>[] = [];
  for (let i = 0; i < options.lanes; i++) {
    lanes.push(
      createLane({
        commit,
        maxRows: options.maxRows,
        ...(options.onBatch === undefined ? {} : { onBatch: options.onBatch }),
      }),
    );
  }

  async function commit(rows: readonly Row[]): Promise<readonly Outcome[]> {
    try {
      return await attempt(rows);
    } catch (cause) {
      const state = sqlState(cause);
      if (state === missingPartition) {
        await ensureMonths(rows);
        return attempt(rows);
      }
      if (state !== undefined && retryable.has(state)) return attempt(rows);
      throw cause;
    }
  }

  async function attempt(rows: readonly Row[]): Promise<readonly Outcome[]> {
    let client: pg.PoolClient | undefined;
    let timer: NodeJS.Timeout | undefined;
    let late = false;
    const connecting = options.pool.connect();
    const written = connecting.then((connected) => {
      if (late) {
        connected.release();
        throw new StoreUnavailable("too late");
      }
      client = connected;
      return options.write(connected, rows);
    });
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        late = true;
        reject(new StoreUnavailable(`no answer from the database within ${options.budgetMs} ms`));
      }, options.budgetMs);
    });
    try {
      const outcomes = await Promise.race([written, overdue]);
      client?.release();
      return outcomes;
    } catch (cause) {
      written.catch(() => undefined);
      const state = sqlState(cause);
      const isPlain = state !== undefined && /^(2[23]|40|54)/.test(state);
      // After anything but an ordinary refusal the connection's state is not known: it is thrown away.
      client?.release(!isPlain);
      if (isPlain) throw cause;
      options.log.warn({ code: state, rows: rows.length }, "the database did not take a batch");
      throw cause instanceof StoreUnavailable ? cause : new StoreUnavailable("the database is away", { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  async function ensureMonths(rows: readonly Row[]): Promise<void> {
    const months = new Set(rows.map((row) => new Date(options.acceptedMicros(row) / 1000).toISOString().slice(0, 7)));
    for (const month of months) {
      await options.pool.query("select maintenance.ensure_month($1::timestamptz)", [`${month}-01T00:00:00Z`]);
    }
  }

  return {
    append(orderKey, rows) {
      const lane = lanes[laneOf(orderKey, lanes.length)];
      if (lane === undefined) throw new Error("a journal needs at least one lane");
      return lane.append(rows);
    },
    get depth() {
      return lanes.reduce((sum, lane) => sum + lane.depth, 0);
    },
    async drained() {
      await Promise.all(lanes.map((lane) => lane.idle()));
    },
  };
}

/** FNV-1a over UTF-16 units: cheap, and spreads sessions evenly. */
function laneOf(key: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % lanes;
}
