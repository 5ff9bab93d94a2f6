import { expect, test } from "vitest";
import { createReadiness } from "../../../src/server/readiness.ts";

test("an answer in time is ready, a failure is not", async () => {
  expect(await createReadiness(async () => "anything", 1000)()).toBe(true);
  expect(await createReadiness(() => Promise.reject(new Error("away")), 1000)()).toBe(false);
});

test("no answer in time is not ready, and nobody asks again while there is none", async () => {
  let asked = 0;
  const answer = Promise.withResolvers<void>();
  const ready = createReadiness(() => {
    asked++;
    return answer.promise;
  }, 10);
  expect(await Promise.all([ready(), ready(), ready()])).toEqual([false, false, false]);
  expect(await ready()).toBe(false);
  expect(asked).toBe(1);
  answer.resolve();
  expect(await ready()).toBe(true);
  expect([await ready(), asked]).toEqual([true, 2]);
});
