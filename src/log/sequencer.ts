import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { sqlState } from "../db/pool.ts";
import { read } from "../db/read.ts";
import { Failure } from "../server/failure.ts";

/** Gives committed records their positions, records what follows from them, and knows how far that has come. */
export type Sequencer = {
  /** Says that something was committed. Positions follow in the background. */
  nudge(): void;
  /**
   * Resolves with the head of the log once everything committed before the call has its position, and
   * the links and gaps that follow from it are on record.
   * Throws LOG_BEHIND when somebody's open write transaction holds it up for longer than waitMs, and
   * STORE_UNAVAILABLE when the database is away.
   */
  catchUp(waitMs: number): Promise<LogHead>;
  /** Calls back after each step with how far the log has come, whichever replica moved it. */
  onHead(notify: (head: LogHead) => void): void;
  close(): Promise<void>;
};

/** Something that follows from records of the log, newly on record itself. Multiranges are Postgres' text. */
export type Noticed =
  | {
      readonly kind: "linked";
      readonly eventId: string;
      readonly sessionId: string;
      readonly fillId: string;
      readonly atMicros: number;
    }
  | {
      readonly kind: "gap";
      readonly sessionId: string;
      readonly opened: string;
      readonly closed: string;
      readonly missing: string;
      readonly atMicros: number;
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

/**
 * Pause between two background steps, at least, and by how much longer than the step it is: readers wait
 * for nobody, and the step, which looks into every month, takes a tenth of one session's time at most.
 */
const restMs = 10;
const restPerStep = 10;
/** A step that waited for somebody's lock is no reason to rest. */
const restMaxMs = 250;
const restAfterErrorMs = 250;

/** Pause while somebody's transaction holds the horizon up. */
const heldUpMs = 5;

/**
 * One step is one call of log.advance; its locked row lets only one run at a time in the whole cluster,
 * so any replica may take a step and none can hurt. The pool's sessions commit asynchronously: a step
 * that a crash undoes is taken again with the same result.
 */
export function createSequencer(options: {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called for what this replica was the one to notice, once it is on record. */
  readonly onNoticed: (noticed: readonly Noticed[]) => void;
}): Sequencer {
  let current: Promise<Step> = Promise.resolve(nothing);
  let next: Promise<Step> | undefined;
  let background: Promise<void> | undefined;
  let wanted = false;
  let isFailing = false;
  let followRows = stepRows;
  let notifyHead: ((head: LogHead) => void) | undefined;
  const closing = new AbortController();

  /** A step that begins after the call, and after the one under way: everybody who waits shares it. */
  function step(): Promise<Step> {
    next ??= current.then(begin, begin);
    return next;
  }

  function begin(): Promise<Step> {
    next = undefined;
    current = take();
    return current;
  }

  async function take(): Promise<Step> {
    const { head, placed } = await advance(options.pool).catch(again).catch(goOn);
    notifyHead?.(head);
    const { followed, noticedBy, noticed } = await followOn(head.horizon);
    if (noticed.length > 0) options.onNoticed(noticed);
    return { head, placed, followed, noticedBy, noticed: noticed.length };
  }

  /** Records out of sight for a moment, as their month is being detached or attached: the next step looks anew. */
  async function again(cause: unknown): Promise<Pick<Step, "head" | "placed">> {
    if (stateOf(cause) !== "GV004") throw cause;
    options.log.warn("the log saw fewer records than were written: it looks again");
    return advance(options.pool);
  }

  /** A database that was promoted may be without what was placed last: positions are not given twice. */
  async function goOn(cause: unknown): Promise<Pick<Step, "head" | "placed">> {
    if (stateOf(cause) !== "GV003") throw cause;
    // In one message, and so in one transaction: it may have much to bring along.
    await options.pool.query("set local statement_timeout = 0; select log.go_on()").catch(() => {
      throw cause;
    });
    const step = await advance(options.pool);
    options.log.warn({ epoch: step.head.epoch }, "the database was promoted: the log goes on in a new epoch");
    return step;
  }

  /** Records of which much follows may take longer than a statement may: fewer are looked at then. */
  async function followOn(horizon: string) {
    try {
      const done = await follow(options.pool, followRows, horizon, options.clock.nowMicros());
      followRows = Math.min(stepRows, followRows * 2);
      return done;
    } catch (cause) {
      followRows = Math.max(1, Math.floor(followRows / 8));
      throw cause;
    }
  }

  async function run(): Promise<void> {
    while (wanted && !closing.signal.aborted) {
      wanted = false;
      let pauseMs = restMs;
      const started = performance.now();
      try {
        const { head, placed, followed, noticed } = await step();
        isFailing = false;
        if (placed >= stepRows || noticed > 0 || followed !== head.horizon) wanted = true;
        else pauseMs = Math.min(restMaxMs, Math.max(restMs, restPerStep * (performance.now() - started)));
      } catch (cause) {
        // Said once for each time that it begins to fail: while Postgres is away it is tried four times a second.
        if (!isFailing) options.log.warn({ code: sqlState(cause) }, "the log could not be advanced");
        isFailing = true;
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
      let lastNoticed: bigint | undefined;
      for (;;) {
        const { head, placed, followed, noticed, noticedBy } = await step();
        // What followed, here or on another replica, needs its positions too.
        if (BigInt(followed) >= below) lastNoticed ??= BigInt(noticedBy);
        if (lastNoticed !== undefined && BigInt(head.horizon) > lastNoticed) return head;
        if (performance.now() > deadline) {
          throw new Failure(
            "LOG_BEHIND",
            "the log has not caught up: a write transaction is open on the database",
            {
              retryAfterMs: 1000,
            },
          );
        }
        if (placed === 0 && noticed === 0) await sleep(heldUpMs);
      }
    },

    onHead(notify) {
      notifyHead = notify;
    },

    async close() {
      closing.abort();
      await background;
      await (next ?? current).catch(() => undefined);
    },
  };
}

/** The SQLSTATE of what `read` made a Failure of. */
function stateOf(cause: unknown): string | undefined {
  return cause instanceof Failure ? sqlState(cause.cause) : undefined;
}

type Step = {
  readonly head: LogHead;
  readonly placed: number;
  /** The horizon below which everything that follows is on record. */
  readonly followed: string;
  /** The last transaction that put anything of it on record, on any replica. */
  readonly noticedBy: string;
  readonly noticed: number;
};

const nothing: Step = {
  head: { epoch: 0, position: 0, horizon: "0" },
  placed: 0,
  followed: "0",
  noticedBy: "0",
  noticed: 0,
};

async function advance(pool: pg.Pool): Promise<Pick<Step, "head" | "placed">> {
  const [row] = await read<{ epoch: number; head: string; horizon: string; placed: number }>(pool, {
    name: "log.advance",
    text: "select epoch, head::text as head, horizon, placed from log.advance($1)",
    values: [stepRows],
  });
  if (row === undefined) throw new Error("log.advance answered no row");
  return { head: { epoch: row.epoch, position: Number(row.head), horizon: row.horizon }, placed: row.placed };
}

type FollowRow =
  | { kind: "followed"; horizon: string; noticed: string }
  | { kind: "linked"; event_id: string; session_id: string; fill_id: string }
  | { kind: "gap"; session_id: string; opened: string; closed: string; missing: string };

async function follow(
  pool: pg.Pool,
  limitRows: number,
  horizon: string,
  atMicros: number,
): Promise<Pick<Step, "followed" | "noticedBy"> & { readonly noticed: readonly Noticed[] }> {
  const rows = await read<FollowRow>(pool, {
    name: "log.follow",
    text: `select kind, horizon, noticed, event_id, session_id, fill_id, opened, closed, missing
           from log.follow($1, $2::text::xid8, timestamptz 'epoch' + $3::bigint * interval '1 microsecond')`,
    values: [limitRows, horizon, atMicros],
  });
  let followed = "0";
  let noticedBy = "0";
  const noticed: Noticed[] = [];
  for (const row of rows) {
    if (row.kind === "followed") {
      followed = row.horizon;
      noticedBy = row.noticed;
    } else if (row.kind === "linked") {
      const { event_id: eventId, session_id: sessionId, fill_id: fillId } = row;
      noticed.push({ kind: "linked", eventId, sessionId, fillId, atMicros });
    } else {
      const { session_id: sessionId, opened, closed, missing } = row;
      noticed.push({ kind: "gap", sessionId, opened, closed, missing, atMicros });
    }
  }
  return { followed, noticedBy, noticed };
}
