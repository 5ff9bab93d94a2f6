import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";

/** Fast enough for a test; a file is taken after it was the same for two looks. */
export const limits = { configFileEveryMs: 20 };

const patienceMs = 15_000;

/** Waits until what `find` answers is as expected. */
export async function eventually(find: () => Promise<unknown>, expected: unknown): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  for (;;) {
    const found = await find();
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    if (performance.now() > untilMs) expect(found).toEqual(expected);
    await sleep(20);
  }
}
