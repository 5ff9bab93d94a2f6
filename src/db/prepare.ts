import type { KeyObject } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import { Failure } from "../server/failure.ts";
import { StartupError } from "../startupError.ts";
import { checkDatabase } from "./check.ts";
import type { Database } from "./connect.ts";
import { cannotConnect, migrate } from "./migrate.ts";
import { sqlState } from "./pool.ts";
import { isAway } from "./read.ts";
import { openSession } from "./sockets.ts";

/** A Postgres that says nothing holds up the start for this long at most. */
const connectWithinMs = 1_500;
/** One that answers is waited for, also while it is migrated, but not for ever. */
const startWithinMs = 20_000;
const statementMs = 10_000;
const sessionSettings = `-c timezone=UTC -c statement_timeout=${statementMs} -c lock_timeout=${statementMs}`;
const firstPauseMs = 100;
const longestPauseMs = 1_000;

/** What has to be done with the database before it is used, tried again until it is done. */
export type Preparation = AsyncDisposable & {
  isDone(): boolean;
  /**
   * Resolves when it is done, or is left to the background because the database is away. Rejects with a
   * StartupError when something is wrong that waiting does not mend.
   */
  readonly tried: Promise<void>;
  /** Resolves when it is done. */
  readonly done: Promise<void>;
  /** Resolves with the reason when something of that kind shows later. */
  readonly failed: Promise<string>;
};

/**
 * Migrates where the administrator is known, checks the database, lets the service use it, and takes the
 * steps. Each may be taken again, after a failure in a later one.
 */
export function prepareDatabase(options: {
  readonly database: Database;
  readonly key: KeyObject;
  readonly steps: readonly ((client: pg.Client) => Promise<unknown>)[];
  readonly log: Logger;
}): Preparation {
  const { database, key, steps, log } = options;
  const closing = new AbortController();
  const tried = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<string>();
  let isDone = false;
  let isStarting = true;

  async function attempt(): Promise<void> {
    const { service, admin } = database.unchecked;
    if (admin !== undefined) await migrate(admin, database.serviceRole, connectWithinMs);
    const session = await openSession(service, {
      name: "prepare",
      withinMs: connectWithinMs,
      queryMs: statementMs,
      settings: sessionSettings,
    });
    try {
      await checkDatabase(session.client, key);
      database.admit();
      for (const step of steps) await step(session.client);
    } finally {
      session.destroy();
    }
  }

  async function run(): Promise<void> {
    let said: string | undefined;
    for (
      let pauseMs = firstPauseMs;
      !closing.signal.aborted;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
    ) {
      try {
        await attempt();
        isDone = true;
        done.resolve();
        if (!isStarting) log.info("Postgres is there and in order; everything goes on");
        return;
      } catch (cause) {
        if (!isPassing(cause)) throw startupError(cause);
        const code = codeOf(cause) ?? "no answer";
        if (code !== said && !closing.signal.aborted) {
          log.warn({ code }, "Postgres cannot be used yet; it is tried again until it can");
        }
        said = code;
        endStart();
      }
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  function endStart(): void {
    isStarting = false;
    tried.resolve();
  }

  const slow = setTimeout(() => {
    log.warn("Postgres is not prepared yet; the service starts without it");
    endStart();
  }, startWithinMs);
  const running = run()
    .then(endStart, (cause: unknown) => {
      tried.reject(cause);
      failed.resolve(cause instanceof Error ? cause.message : String(cause));
    })
    .finally(() => clearTimeout(slow));

  return {
    isDone: () => isDone,
    tried: tried.promise,
    done: done.promise,
    failed: failed.promise,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await running;
    },
  };
}

/** Whether it may pass by itself: the database is away, starting, stopping, read-only, or busy; not what TLS refuses. */
function isPassing(cause: unknown): boolean {
  return isAway(origin(cause)) && !/CERT|^ERR_/.test(codeOf(cause) ?? "");
}

/** What the database or its socket said. */
function origin(cause: unknown): unknown {
  const isWrapped = cause instanceof StartupError || cause instanceof Failure;
  return isWrapped && cause.cause !== undefined ? cause.cause : cause;
}

function codeOf(cause: unknown): string | undefined {
  return sqlState(origin(cause));
}

function startupError(cause: unknown): StartupError {
  return cause instanceof StartupError ? cause : cannotConnect("DATABASE_URL", cause);
}
