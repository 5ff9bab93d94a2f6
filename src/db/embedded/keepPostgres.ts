import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ConnectionSettings } from "./connection.ts";
import type { PostgresExit } from "./postmaster.ts";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "./startEmbeddedPostgres.ts";

/** Pauses before the tries to start it again; after as many failures in a row it is given up. */
const pausesMs = [0, 500, 1_000, 2_000, 4_000];
/** One that ended sooner than this (on a disk that is full, say) is not started again at once. */
const shortRunMs = 5_000;
const shortRunPauseMs = 1_000;

/** A Postgres of our own that is started again when it ends by itself, on the same socket. */
export type KeptPostgres = {
  readonly service: ConnectionSettings;
  readonly admin: ConnectionSettings;
  /** Resolves with the reason when it ended and cannot be started again; never otherwise. */
  readonly failed: Promise<string>;
  stop(withinMs: number): Promise<void>;
};

/** Starts it for the first time. Throws StartupError. */
export async function keepPostgres(options: EmbeddedPostgresOptions, log: Logger): Promise<KeptPostgres> {
  const first = await startEmbeddedPostgres(options);
  const closing = new AbortController();
  const stopped = new Promise<undefined>((resolve) =>
    closing.signal.addEventListener("abort", () => resolve(undefined)),
  );
  const failed = Promise.withResolvers<string>();
  let current: EmbeddedPostgres | undefined = first;

  /** Undefined when it was stopped meanwhile; throws why the last try failed. */
  async function startAgain(ranMs: number): Promise<EmbeddedPostgres | undefined> {
    let last: unknown;
    const leastMs = ranMs < shortRunMs ? shortRunPauseMs : 0;
    for (const pauseMs of pausesMs) {
      await sleep(Math.max(leastMs, pauseMs), undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return undefined;
      try {
        return await startEmbeddedPostgres({
          ...options,
          socketDir: first.socketDir,
          signal: closing.signal,
        });
      } catch (cause) {
        if (closing.signal.aborted) return undefined;
        log.error({ err: cause }, "the embedded Postgres does not start again yet");
        last = cause;
      }
    }
    throw last;
  }

  async function keep(): Promise<void> {
    while (current !== undefined) {
      const startedMs = performance.now();
      const exit: PostgresExit | undefined = await Promise.race([current.exited, stopped]);
      if (exit === undefined) return;
      const how = `${exit.signal ?? `exit code ${exit.code}`}`;
      log.error({ how }, "the embedded Postgres ended by itself; it is started again");
      current = undefined;
      try {
        current = await startAgain(performance.now() - startedMs);
        if (current !== undefined) log.warn("the embedded Postgres runs again");
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        failed.resolve(`the embedded Postgres ended by itself (${how}) and cannot be started again: ${why}`);
      }
    }
  }

  const keeping = keep();
  return {
    service: first.service,
    admin: first.admin,
    failed: failed.promise,
    async stop(withinMs) {
      const deadline = performance.now() + withinMs;
      closing.abort();
      await keeping; // A start that is under way is given up first.
      await current?.stop(deadline - performance.now());
    },
  };
}
