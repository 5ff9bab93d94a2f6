import { setTimeout as sleep } from "node:timers/promises";

/**
 * Does something at once and then again, `everyMs` after it has ended; `task` never rejects. Disposing stops
 * it, and waits for the one under way.
 */
export function repeat(everyMs: number, task: () => Promise<void>): AsyncDisposable {
  const closing = new AbortController();
  const run = async () => {
    while (!closing.signal.aborted) {
      await task();
      await sleep(everyMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await running;
    },
  };
}
