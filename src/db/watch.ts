import type { Logger } from "pino";
import { repeat } from "../repeat.ts";
import { type Connection, sqlState } from "./pool.ts";
import { openSession, type Session } from "./sockets.ts";

const everyMs = 500;
const answerWithinMs = 1_000;

/** Whether the database answers, asked all the time on a connection of its own: nobody waits for the answer. */
export type Watch = AsyncDisposable & {
  /** As it was at the last question, at most 1.5 s ago. */
  isReachable(): boolean;
};

export function watchDatabase(connection: Connection, log: Logger): Watch {
  let session: Session | undefined;
  let isReachable = false;
  let wasReachable = false; // What is not there at the start is told of by whoever prepares it.

  function found(reachable: boolean, code?: string): void {
    if (isReachable && !reachable) log.warn({ code }, "Postgres does not answer");
    if (wasReachable && !isReachable && reachable) log.info("Postgres answers again");
    isReachable = reachable;
    wasReachable ||= reachable;
  }

  const asking = repeat(everyMs, async () => {
    try {
      session ??= await openSession(connection, {
        name: "watch",
        withinMs: answerWithinMs,
        queryMs: answerWithinMs,
      });
      await session.client.query("select 1");
      found(true);
    } catch (cause) {
      session?.destroy();
      session = undefined;
      found(false, sqlState(cause));
    }
  });

  return {
    isReachable: () => isReachable,
    async [Symbol.asyncDispose]() {
      await asking[Symbol.asyncDispose]();
      session?.destroy();
    },
  };
}
