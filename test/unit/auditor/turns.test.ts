import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createTurns } from "../../../src/auditor/turns.ts";

test("whatever each waits for, those of one key begin in the order of their calls", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ key: fc.constantFrom("a", "b"), waitMs: fc.constantFrom(undefined, 0, 1, 3) }), {
        maxLength: 12,
      }),
      async (calls) => {
        const turns = createTurns();
        const begun: Record<string, number[]> = { a: [], b: [] };
        const done = calls.map(({ key, waitMs }, index) =>
          turns.take(key, waitMs === undefined ? index : sleep(waitMs, index), async (prepared) => {
            begun[key]?.push(prepared);
            return prepared;
          }),
        );
        expect(await Promise.all(done)).toEqual(calls.map((_, index) => index));
        for (const key of ["a", "b"]) {
          expect(begun[key]).toEqual(calls.flatMap((call, index) => (call.key === key ? [index] : [])));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("what is at once ready begins at once when nobody of its key waits", () => {
  let isBegun = false;
  void createTurns().take("a", 1, async () => {
    isBegun = true;
  });
  expect(isBegun).toBe(true);
});

test("the next does not wait for what the one before does once it has begun", async () => {
  const turns = createTurns();
  const endless = turns.take("a", sleep(1, undefined), () => new Promise<never>(() => undefined));
  expect(await Promise.race([turns.take("a", 2, async (it) => it), endless])).toBe(2);
});
