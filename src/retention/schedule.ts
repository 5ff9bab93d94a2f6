import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { Failure } from "../server/failure.ts";
import type { Purge } from "./purge.ts";

const everyMs = 60 * 60 * 1000;
/** A service that is restarted every half hour purges too. */
const firstAfterMs = 60_000;

/** Tries every hour whether the purge is due; of all replicas one runs it, once a day. */
export type Schedule = Disposable & {
  /** Tries now. Never rejects: what went wrong is logged, and the next hour tries again. */
  attempt(): Promise<void>;
};

/** Starts trying. Disposing stops it; a run that is under way is the purge's to end. */
export function schedulePurge(purge: Purge, log: Logger): Schedule {
  async function attempt(): Promise<void> {
    try {
      await purge.run({ startedBy: "schedule", isDry: false, ifDue: true });
    } catch (cause) {
      if (cause instanceof Failure) return; // Logged where it was refused.
      log.warn({ code: sqlState(cause), err: cause }, "the purge broke off; it goes on within an hour");
    }
  }

  const first = setTimeout(attempt, firstAfterMs);
  const timer = setInterval(attempt, everyMs);
  first.unref();
  timer.unref();
  return {
    attempt,
    [Symbol.dispose]() {
      clearTimeout(first);
      clearInterval(timer);
    },
  };
}
