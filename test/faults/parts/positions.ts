import { setTimeout as sleep } from "node:timers/promises";
import type { Victim } from "./postgres.ts";

/** How the log's positions go on, asked all the time. */
export type Positions = AsyncDisposable & {
  /** For how long none was given since a moment, at most: milliseconds. The pause under way counts. */
  longestPauseMs(sinceMs: number): number;
  /** Resolves once one was given after this call. */
  goOn(): Promise<void>;
};

const everyMs = 20;

/** The callers have to go on recording: where nothing is committed, none is given. */
export async function watchPositions(postgres: Victim): Promise<Positions> {
  const session = await postgres.session();
  const moves: number[] = [performance.now()];
  let isOver = false;

  async function watch(): Promise<void> {
    let last: string | undefined;
    while (!isOver) {
      const { rows } = await session.query<{ head: string }>(
        "select epoch || ' ' || position as head from log.entry order by epoch desc, position desc limit 1",
      );
      if (rows[0]?.head !== last) moves.push(performance.now());
      last = rows[0]?.head;
      await sleep(everyMs);
    }
  }
  const watching = watch();

  return {
    longestPauseMs(sinceMs) {
      const points = [sinceMs, ...moves.filter((ms) => ms > sinceMs), performance.now()];
      return Math.max(...points.slice(1).map((ms, i) => ms - (points[i] ?? ms)));
    },
    async goOn() {
      const count = moves.length;
      while (moves.length === count) await sleep(everyMs);
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await watching;
      await session.end();
    },
  };
}
