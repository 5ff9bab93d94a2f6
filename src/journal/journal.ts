import type pg from "pg";
import type { Logger } from "pino";
import { type Connection, sqlState } from "../db/pool.ts";
import { createLane, type Lane } from "./lane.ts";
import { createWriter, type Writer } from "./writer.ts";

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
  /** Resolves when everything taken was answered and the connections are closed. */
  close(): Promise<void>;
};

/** The database could not take the rows inside the budget. */
export class StoreUnavailable extends Error {}

const missingPartition = "23514";
const retryable = new Set(["40001", "40P01"]);
/** The server is there and refuses these rows: bad data, a constraint, a lost race, a limit of its own. */
const plainRefusal = /^(2[23]|40|54)/;

/** While the server commits one batch the next is already with it; more would only make batches smaller. */
const batchesUnderWay = 2;

export function createJournal<Row, Outcome>(options: {
  readonly connection: Connection;
  readonly name: string;
  /** One statement that stores the rows, and commits by itself. */
  readonly write: (client: pg.Client, rows: readonly Row[]) => Promise<readonly Outcome[]>;
  /** When the row was accepted, microseconds: its partition. */
  readonly acceptedMicros: (row: Row) => number;
  /** The tables that need that partition: those alone are made inside the budget when it is missing. */
  readonly tables: readonly string[];
  /** Commits under way at a time; one order key always takes the same lane. */
  readonly lanes: number;
  readonly maxRows: number;
  readonly budgetMs: number;
  /** Called for each batch that was tried: its rows, and how long the database took. */
  readonly onBatch: (rows: number, durationMs: number) => void;
  readonly log: Logger;
}): Journal<Row, Outcome> {
  const writers: Writer[] = [];
  const lanes: Lane<Row, Outcome>[] = [];
  for (let i = 0; i < options.lanes; i++) {
    const { connection, name, log } = options;
    const limits = {
      statementTimeoutMs: options.budgetMs,
      lockTimeoutMs: options.budgetMs,
      connectTimeoutMs: options.budgetMs,
    };
    const writer = createWriter({ connection, name, limits, log });
    writers.push(writer);
    lanes.push(
      createLane({
        commit: (rows) => commit(writer, rows),
        maxRows: options.maxRows,
        underWay: batchesUnderWay,
      }),
    );
  }

  async function commit(writer: Writer, rows: readonly Row[]): Promise<readonly Outcome[]> {
    const started = performance.now();
    try {
      return await attempt(writer, (client) => options.write(client, rows));
    } catch (cause) {
      const state = sqlState(cause);
      if (state === missingPartition) {
        await attempt(writer, (client) => ensureMonths(client, rows));
      } else if (state === undefined || !retryable.has(state)) {
        throw cause;
      }
      return attempt(writer, (client) => options.write(client, rows));
    } finally {
      options.onBatch(rows.length, performance.now() - started);
    }
  }

  /** Runs within the budget. What the server refuses passes as it is; anything else is StoreUnavailable. */
  async function attempt<T>(writer: Writer, use: (client: pg.Client) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const answered = writer.run(use);
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        writer.abandon();
        reject(new StoreUnavailable(`no answer from the database within ${options.budgetMs} ms`));
      }, options.budgetMs);
    });
    try {
      return await Promise.race([answered, overdue]);
    } catch (cause) {
      answered.catch(() => undefined); // When the budget was over first, its end is not unhandled.
      const state = sqlState(cause);
      if (state !== undefined && plainRefusal.test(state)) throw cause;
      options.log.warn({ journal: options.name, code: state }, "the database did not take a batch");
      throw cause instanceof StoreUnavailable
        ? cause
        : new StoreUnavailable("the database is away", { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  async function ensureMonths(client: pg.Client, rows: readonly Row[]): Promise<void> {
    const months = new Set(
      rows.map((row) => new Date(options.acceptedMicros(row) / 1000).toISOString().slice(0, 7)),
    );
    for (const month of months) {
      await client.query("select maintenance.ensure_month($1::timestamptz, $2::text[])", [
        `${month}-01T00:00:00Z`,
        options.tables,
      ]);
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
    async close() {
      await Promise.all(lanes.map((lane) => lane.idle()));
      await Promise.all(writers.map((writer) => writer.close()));
    },
  };
}

/** FNV-1a over UTF-16 units: cheap, and spreads sessions evenly. */
function laneOf(key: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % lanes;
}
