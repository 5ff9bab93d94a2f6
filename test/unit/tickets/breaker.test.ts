import { beforeEach, expect, test } from "vitest";
import { type Breaker, createBreaker } from "../../../src/tickets/breaker.ts";

let nowMs: number;
let changes: boolean[];
let breaker: Breaker;
beforeEach(() => {
  nowMs = 0;
  changes = [];
  breaker = createBreaker({
    failuresToOpen: 3,
    pauseMs: 10_000,
    monotonicMs: () => nowMs,
    onChange: (isOpen) => changes.push(isOpen),
  });
});

function failTimes(times: number): void {
  for (let i = 0; i < times; i++) breaker.failed();
}

/** How long nothing is let through from now on. */
function pauseMs(): number {
  const fromMs = nowMs;
  while (!breaker.mayAsk()) nowMs += 500;
  return nowMs - fromMs;
}

test("failures in a row open it, a success between them does not let them add up", () => {
  failTimes(2);
  breaker.succeeded();
  failTimes(2);
  expect([breaker.mayAsk(), changes]).toEqual([true, []]);
  failTimes(1);
  expect([breaker.mayAsk(), changes]).toEqual([false, [true]]);
});

test("after the pause one question is let through, and no other until it is answered", () => {
  failTimes(3);
  expect(pauseMs()).toBe(10_000);
  expect(breaker.mayAsk()).toBe(false);
  breaker.succeeded();
  expect([breaker.mayAsk(), breaker.mayAsk(), changes]).toEqual([true, true, [true, false]]);
});

test("each failed try doubles the pause, up to six times the first, and a success starts it anew", () => {
  failTimes(3);
  const pauses = [1, 2, 3, 4].map(() => {
    const ms = pauseMs();
    breaker.failed();
    return ms;
  });
  expect(pauses).toEqual([10_000, 20_000, 40_000, 60_000]);
  pauseMs();
  breaker.succeeded();
  failTimes(3);
  expect(pauseMs()).toBe(10_000);
});

test("answers that were under way when it opened change nothing but for a good one", () => {
  failTimes(5);
  expect([changes, pauseMs()]).toEqual([[true], 10_000]);
  breaker.failed();
  breaker.succeeded();
  expect([breaker.mayAsk(), changes]).toEqual([true, [true, false]]);
});

test.each<[number | undefined, number]>([
  [30_000, 30_000],
  [0, 1_000],
  [999_999_999, 300_000],
  [undefined, 10_000],
])("asked to be left alone for %s ms it is, within bounds", (forMs, expected) => {
  breaker.throttled(forMs);
  expect([breaker.isThrottled, changes]).toEqual([true, [true]]);
  expect(pauseMs()).toBe(expected);
  expect(breaker.isThrottled).toBe(false);
});
