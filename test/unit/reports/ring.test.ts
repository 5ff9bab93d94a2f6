import { expect, test } from "vitest";
import type { Batch } from "../../../src/reports/item.ts";
import { createRing } from "../../../src/reports/ring.ts";

function batch(after: number, to: number, bytes = 10): Batch {
  return { epoch: 1, after, to, items: [], bytes, isScrubbed: false };
}

test("the batch with the next record is found, also from its midst", () => {
  const ring = createRing({ maxBatches: 10, maxBytes: 1000 });
  ring.append(batch(10, 15));
  ring.append(batch(15, 20));
  expect([10, 14, 15, 19].map((position) => ring.behind(position)?.to)).toEqual([15, 15, 20, 20]);
  expect([9, 20].map((position) => ring.behind(position))).toEqual([undefined, undefined]);
});

test("the oldest go when there are too many, or too much of them, but never the last", () => {
  const ring = createRing({ maxBatches: 3, maxBytes: 100 });
  for (let at = 0; at < 10; at++) ring.append(batch(at, at + 1));
  expect([6, 7, 9].map((position) => ring.behind(position)?.to)).toEqual([undefined, 8, 10]);
  ring.append(batch(10, 11, 500));
  expect([9, 10].map((position) => ring.behind(position)?.to)).toEqual([undefined, 11]);
});
