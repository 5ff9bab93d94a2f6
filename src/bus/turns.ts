import type pg from "pg";
import type { Logger } from "pino";
import { type Connection, sessionOptions, sqlState } from "../db/pool.ts";
import { openSession, type Session } from "../db/sockets.ts";
import { repeat } from "../repeat.ts";
import { createTurns } from "../reports/turns.ts";
import type { BusConnection, Link } from "./connection.ts";

/** A replica's turn: it has the session that holds the lock. */
export type Turn<Seen> = {
  readonly link: Link;
  /** What `look` saw. */
  readonly seen: Seen;
  /** Uses the session, one after the other. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Gives the session up, and the turn with it. */
  abandon(): void;
  /** Aborted when the turn is over. */
  readonly signal: AbortSignal;
};

const connectWithinMs = 3_000;
const statementTimeoutMs = 8_000;
const answerWithinMs = 10_000;
/** A replica that stands still and does not end gives its turn back after this, by Postgres' hand. */
const idleSeconds = 5;

const session = {
  withinMs: connectWithinMs,
  queryMs: answerWithinMs,
  settings: `${sessionOptions({
    statementTimeoutMs,
    lockTimeoutMs: statementTimeoutMs,
    connectTimeoutMs: connectWithinMs,
  })} -c idle_session_timeout=${idleSeconds}s`,
};

/**
 * Has one replica at a time do a piece of work on the bus, while both the bus and Postgres are there: the one whose
 * session holds an advisory lock. Whatever goes wrong ends the turn, and the next one, here or on another replica,
 * begins from what is committed. Disposing ends the turn.
 */
export function inTurns<Seen>(options: {
  /** Of the lock, the session, and in the log. */
  readonly name: string;
  readonly connection: Connection;
  readonly bus: Pick<BusConnection, "link">;
  /** Looks whether the bus has what the work needs. Throws when it has not. */
  readonly look: (link: Link) => Promise<Seen>;
  /** Whether what is seen now is what the turn began with. */
  readonly isSame: (one: Seen, other: Seen) => boolean;
  /** How often, whether or not it is this replica's turn. */
  readonly everyMs: number;
  /** Returns when the turn's signal is aborted, or throws. */
  readonly work: (turn: Turn<Seen>) => Promise<void>;
  readonly log: Logger;
}): AsyncDisposable {
  const { name, everyMs, log } = options;
  const closing = new AbortController();
  let waiting: Session | undefined;
  let told: string | undefined;

  async function round(): Promise<void> {
    const link = options.bus.link();
    if (link === undefined || closing.signal.aborted) return;
    try {
      const seen = await options.look(link);
      waiting ??= await openSession(options.connection, { ...session, name: `bus ${name}` });
      if (!(await isElected(waiting.client, name))) {
        told = undefined;
        return;
      }
      await take(link, seen, waiting);
    } catch (cause) {
      if (!closing.signal.aborted && !link.ended.aborted) tell(cause);
    }
    waiting?.destroy();
    waiting = undefined;
  }

  async function take(link: Link, seen: Seen, { client, destroy }: Session): Promise<void> {
    const ending = new AbortController();
    const signal = AbortSignal.any([closing.signal, link.ended, ending.signal]);
    const oneByOne = createTurns(1);
    const use = <T>(work: (client: pg.Client) => Promise<T>) => oneByOne(() => work(client));
    let checks = 0;
    const isLive = async () => {
      try {
        if (!options.isSame(seen, await options.look(link))) throw new Error("the stream is another one now");
        await use(() => client.query("select 1"));
        // What ends every turn at its beginning is said once.
        if (++checks > 5) told = undefined;
      } catch (cause) {
        ending.abort(cause);
      }
    };
    await using _checks = repeat(everyMs, isLive);
    await options.work({ link, seen, use, abandon: destroy, signal });
    if (ending.signal.aborted) throw ending.signal.reason;
  }

  function tell(cause: unknown): void {
    const why = cause instanceof Error && sqlState(cause) === undefined ? cause.message : undefined;
    const said = why ?? sqlState(cause) ?? "unknown";
    if (said !== told) log.warn({ bus: name, why, code: sqlState(cause) }, "the bus cannot be used now");
    told = said;
  }

  const rounds = repeat(everyMs, round);
  return {
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("the service is stopping"));
      await rounds[Symbol.asyncDispose]();
      waiting?.destroy();
    },
  };
}

async function isElected(client: pg.ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ mine: boolean }>(
    "select pg_try_advisory_lock(hashtextextended($1, 0)) as mine",
    [`governance.bus ${name}`],
  );
  return rows[0]?.mine === true;
}
