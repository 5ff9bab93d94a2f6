import { setTimeout as sleep } from "node:timers/promises";

/**
 * Makes something for whoever asks, at most once in everyMs: those who wait share what is begun after they asked.
 * So what costs much costs no more when many ask for it, and nobody gets what was made before.
 */
export function inRounds<T>(everyMs: number, make: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | undefined;
  let begunMs = Number.NEGATIVE_INFINITY;

  async function round(): Promise<T> {
    await sleep(Math.max(0, begunMs + everyMs - performance.now()));
    begunMs = performance.now();
    next = undefined;
    return make();
  }

  return () => {
    next ??= round();
    return next;
  };
}
