import { expect, test } from "vitest";
import { createUnderWay } from "../../../src/server/underWay.ts";

test("nothing is under way at first", async () => {
  await createUnderWay().none();
});

test("who waits is told when the last one has ended, and not before", async () => {
  const calls = createUnderWay();
  calls.begin();
  calls.begin();
  let told = 0;
  const waiting = [calls.none(), calls.none()].map((none) => none.then(() => told++));
  calls.end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toBe(0);
  calls.end();
  await Promise.all(waiting);
  expect(told).toBe(2);

  calls.begin();
  const again = calls.none();
  calls.end();
  await again;
});
