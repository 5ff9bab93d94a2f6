import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { read } from "../db/read.ts";
import { Failure } from "../server/failure.ts";

/** Gives committed records their positions, and knows how far that has come. */
export type Sequencer = {
  /** Says that something was committed. Positions follow in the background. */
  nudge(): void;
  /**
   * Resolves with the head of the log once everything committed before the call has its position.
   * Throws LOG_BEHIND when somebody's open write transaction holds it up for longer than waitMs, and
   * STORE_UNAVAILABLE when the database is away.
   */
  catchUp(waitMs: number): Promise<LogHead>;
  close(): Promise<void>;
};

/** How long readers wait for the log to catch up, milliseconds. */
export type ReadLimits = { readonly listCatchUpMs: number; readonly exportCatchUpMs: number };

/** How far the log has come: records of transactions below the horizon have positions up to this one. */
export type LogHead = {
  readonly epoch: number;
  readonly position: number;
  /** A transaction id; a decimal string, as it is 64 bits wide. */
  readonly horizon: string;
};

/** Records placed in one step, at most (but never less than one transaction). */
const stepRows = 20_000;

/** Pause between two background steps: readers wait for nobody, writers share the database's time. */
const restMs = 10;
const restAfterErrorMs = 250;

/** Pause while somebody's transaction holds the horizon up. */
const heldUpMs = 5;

/**
 * One step is one call of log.advance; its locked row lets only one run at a time in the whole cluster,
 * so any replica may take a step and none can hurt. The pool's sessions commit asynchronously: a step
 * that a crash undoes is taken again with the same result.
 */
export function createSequencer(options: { readonly pool: pg.Pool; readonly log: Logger }): Sequencer {
  let current: Promise<Step> = Promise.resolve({ head: { epoch: 0, position: 0, horizon: "0" }, placed: 0 });
  let background: Promise<void> | undefined;
  let wanted = false;
  const closing = new AbortController();

  /** Steps queue up in this process: each begins after the one before it ended. */
  function step(): Promise<Step> {
    current = current.then(
      () => advance(options.pool),
      () => advance(options.pool),
    );
    return current;
  }

  async function run(): Promise<void> {
    while (wanted && !closing.signal.aborted) {
      wanted = false;
      let pauseMs = restMs;
      try {
        const { placed } = await step();
        if (placed >= stepRows) wanted = true;
      } catch (cause) {
        options.log.warn({ code: sqlState(cause) }, "the log could not be advanced");
        wanted = true;
        pauseMs = restAfterErrorMs;
      }
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
    background = undefined;
  }

  return {
    nudge() {
      wanted = true;
      background ??= run();
    },

    async catchUp(waitMs) {
      const [now] = await read<{ below: string }>(options.pool, {
        name: "log.now",
        text: "select pg_snapshot_xmax(pg_current_snapshot())::text as below",
      });
      const below = BigInt(now?.below ?? 0);
      const deadline = performance.now() + waitMs;
      for (;;) {
        const { head, placed } = await step();
        if (BigInt(head.horizon) >= below) return head;
        if (performance.now() > deadline) {
          throw new Failure(
            "LOG_BEHIND",
            "the log has not caught up: a write transaction is open on the database",
            {
              retryAfterMs: 1000,
            },
          );
        }
        if (placed === 0) await sleep(heldUpMs);
      }
    },

    async close() {
      closing.abort();
      await background;
      await current.catch(() => undefined);
    },
  };
}

type Step = { readonly head: LogHead; readonly placed: number };

async function advance(pool: pg.Pool): Promise<Step> {
  const [row] = await read<{ epoch: number; head: string; horizon: string; placed: number }>(pool, {
    name: "log.advance",
    text: "select epoch, head::text as head, horizon, placed from log.advance($1)",
    values: [stepRows],
  });
  if (row === undefined) throw new Error("log.advance answered no row");
  return { head: { epoch: row.epoch, position: Number(row.head), horizon: row.horizon }, placed: row.placed };
}
