import type { Logger } from "pino";
import type { Connection } from "../db/pool.ts";
import { sqlState } from "../db/pool.ts";
import { commit, isRefusal, SpoolRefused, StoreUnavailable, type Write } from "./commit.ts";
import { createDrain, type Drain, drainBudgetMs } from "./drain.ts";
import { createLane, type Lane } from "./lane.ts";
import { SpoolUnavailable } from "./spool/spool.ts";
import { type Buffered, buffered, entriesOf, keyHash, mustWait, type Spooling } from "./spooled.ts";
import type { JournalTrace } from "./trace.ts";
import { createWriter, type Writer } from "./writer.ts";

/** Makes records durable: resolves once they are committed, or in the spool; fsynced in either place. */
export type Journal<Row, Outcome> = {
  /**
   * Rows with the same lane key commit in the order of their calls. Without a spool, or when it does not take
   * them either, rejects with StoreUnavailable; whether the database took them later is then unknown, and the
   * rows' own ids make a retry safe.
   */
  append(laneKey: string, rows: readonly Row[]): Promise<readonly (Outcome | Buffered)[]>;
  /** Rows that wait or are under way. */
  readonly depth: number;
  /** Connects, and has the statement planned, so that the first calls need not wait for either. */
  warm(): Promise<void>;
  /** Resolves when everything taken was answered and the connections are closed. */
  close(): Promise<void>;
};

const warmWithinMs = 5_000;

/** While the server commits one batch the next is already with it; more would only make batches smaller. */
const batchesUnderWay = 2;

/** A table that is asked in vain keeps the calls that wait; more than these are refused, or more than these bytes. */
const waitingMaxRows = 100_000;
const waitingMaxBytes = 256 * 1024 * 1024;

export function createJournal<Row, Outcome>(options: {
  readonly connection: Connection;
  readonly of: Write<Row, Outcome>;
  /** Where rows go that the database does not take within the budget; undefined: nowhere. */
  readonly spooling?: Spooling<Row, Outcome> | undefined;
  /** Whether rows with the same order key keep their order even when the database fails on some of them. */
  readonly isStrictlyOrdered?: boolean;
  /** Commits under way at a time; one lane key always takes the same lane. */
  readonly lanes: number;
  readonly maxRows: number;
  /** What the database has for a batch, milliseconds. */
  readonly budgetMs: number;
  /** Called for each batch that was tried: its rows, and how long the database took. */
  readonly onBatch: (rows: number, durationMs: number) => void;
  /** Called once rows of a batch are in the spool. */
  readonly onSpooled?: () => void;
  /** Called when rows were drained from the spool; and when none is left, which is waited for. */
  readonly onDrained?: () => void;
  readonly onEmpty?: () => Promise<void>;
  /** undefined: nobody traces. */
  readonly trace?: JournalTrace | undefined;
  readonly log: Logger;
}): Journal<Row, Outcome> {
  const { connection, of, spooling, budgetMs, trace, log } = options;
  const writers: Writer[] = [];
  const lanes: Lane<Row, Outcome | Buffered>[] = [];
  const laneWriters: Writer[] = [];
  for (let i = 0; i < options.lanes; i++) {
    const writer = open(of.name, budgetMs);
    laneWriters.push(writer);
    lanes.push(
      createLane({
        commit: (rows) => makeDurable(writer, rows),
        isRefusal,
        maxRows: options.maxRows,
        underWay: batchesUnderWay,
        keyOf: options.isStrictlyOrdered ? spooling && ((row) => keyHash(spooling.orderKey(row))) : undefined,
      }),
    );
  }

  function open(name: string, timeoutMs: number): Writer {
    const limits = { statementTimeoutMs: timeoutMs, lockTimeoutMs: timeoutMs, connectTimeoutMs: timeoutMs };
    const writer = createWriter({ connection, name, limits, log });
    writers.push(writer);
    return writer;
  }

  let waitingBytes = 0;
  /** The database did not take the last batch that it was asked to: it is not asked until it answers again. */
  let isAway = false;
  const drain = spooling && openDrain(spooling);

  function openDrain(through: Spooling<Row, Outcome>): Drain {
    const opened = createDrain({
      of,
      spooling: through,
      writer: open(`${of.name} drain`, drainBudgetMs),
      isBusy: () => lanes.some((lane) => lane.depth > 0),
      onBack() {
        if (isAway) log.info({ journal: of.name }, "the database takes records again");
        isAway = false;
      },
      onEmpty: options.onEmpty ?? (() => Promise.resolve()),
      onDrained: options.onDrained ?? (() => undefined),
      trace,
      log,
    });
    // What an earlier run left, and outages that it could not report.
    opened.wake();
    return opened;
  }

  async function makeDurable(writer: Writer, rows: readonly Row[]): Promise<readonly (Outcome | Buffered)[]> {
    if (spooling === undefined) return store(writer, rows);
    if (isAway) return spool(spooling, rows);
    if (spooling.spool.isEmpty) return storeOrSpool(writer, spooling, rows);
    const waits = rows.map((row) => mustWait(spooling, row));
    if (!waits.includes(true)) return storeOrSpool(writer, spooling, rows);
    if (!waits.includes(false)) return spool(spooling, rows);
    const [stored] = await Promise.all([
      storeOrSpool(
        writer,
        spooling,
        rows.filter((_, i) => !waits[i]),
      ),
      spool(
        spooling,
        rows.filter((_, i) => waits[i]),
      ),
    ]);
    let at = 0;
    return waits.map((wait) => (wait ? buffered : (stored[at++] ?? buffered)));
  }

  async function storeOrSpool(
    writer: Writer,
    through: Spooling<Row, Outcome>,
    rows: readonly Row[],
  ): Promise<readonly (Outcome | Buffered)[]> {
    try {
      return await store(writer, rows);
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      isAway = true;
      drain?.wake();
      return spool(through, rows);
    }
  }

  function store(writer: Writer, rows: readonly Row[]): Promise<readonly Outcome[]> {
    return trace === undefined
      ? tryToStore(writer, rows)
      : trace.commit(rows, () => tryToStore(writer, rows));
  }

  async function tryToStore(writer: Writer, rows: readonly Row[]): Promise<readonly Outcome[]> {
    const started = performance.now();
    try {
      return await commit(of, writer, rows, budgetMs);
    } catch (cause) {
      if (cause instanceof StoreUnavailable) {
        log.warn({ journal: of.name, code: sqlState(cause.cause) }, "the database did not take a batch");
      }
      throw cause;
    } finally {
      options.onBatch(rows.length, performance.now() - started);
    }
  }

  function spool(through: Spooling<Row, Outcome>, rows: readonly Row[]): Promise<readonly Buffered[]> {
    return trace === undefined
      ? tryToSpool(through, rows)
      : trace.spool(rows, () => tryToSpool(through, rows));
  }

  async function tryToSpool(
    through: Spooling<Row, Outcome>,
    rows: readonly Row[],
  ): Promise<readonly Buffered[]> {
    try {
      await through.spool.append(entriesOf(of.name, through, rows));
    } catch (cause) {
      if (!(cause instanceof SpoolUnavailable)) throw cause;
      log.error({ journal: of.name, why: cause.message }, "neither the database nor the spool takes records");
      throw new SpoolRefused("neither the database nor the spool takes records", { cause });
    }
    options.onSpooled?.();
    drain?.wake();
    return rows.map(() => buffered);
  }

  return {
    append(laneKey, rows) {
      const lane = lanes[keyHash(laneKey) % lanes.length];
      if (lane === undefined) throw new Error("a journal needs at least one lane");
      const bytes =
        of.bytesOf === undefined ? 0 : rows.reduce((sum, row) => sum + (of.bytesOf?.(row) ?? 0), 0);
      if (lane.depth > waitingMaxRows || (bytes > 0 && waitingBytes + bytes > waitingMaxBytes)) {
        return Promise.reject(new SpoolRefused("too many records wait to be durable"));
      }
      const appended = trace === undefined ? lane.append(rows) : trace.append(rows, () => lane.append(rows));
      if (bytes === 0) return appended;
      waitingBytes += bytes;
      return appended.finally(() => {
        waitingBytes -= bytes;
      });
    },
    async warm() {
      await Promise.all(laneWriters.map((writer) => commit(of, writer, [], warmWithinMs)));
    },
    get depth() {
      return lanes.reduce((sum, lane) => sum + lane.depth, 0);
    },
    async close() {
      await Promise.all(lanes.map((lane) => lane.idle()));
      await drain?.close();
      await Promise.all(writers.map((writer) => writer.close()));
    },
  };
}
