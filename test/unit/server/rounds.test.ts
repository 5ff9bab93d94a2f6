import { expect, test } from "vitest";
import { inRounds } from "../../../src/server/rounds.ts";

test("who asks gets what was begun after it asked, and many who ask at once share it", async () => {
  let made = 0;
  const ask = inRounds(20, async () => ++made);
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
  expect(await ask()).toBe(2);
  expect(await Promise.all([ask(), ask()])).toEqual([3, 3]);
});

test("one that fails fails those who waited for it, and the next is made anew", async () => {
  let made = 0;
  const ask = inRounds(1, async () => {
    if (++made === 1) throw new Error("not now");
    return made;
  });
  expect((await Promise.allSettled([ask(), ask()])).map(({ status }) => status)).toEqual([
    "rejected",
    "rejected",
  ]);
  expect(await ask()).toBe(2);
});
