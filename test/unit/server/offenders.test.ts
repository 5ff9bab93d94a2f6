import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createOffenders } from "../../../src/server/offenders.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const limits = { offencesBeforeSlow: 3, offenceMs: 10_000, slowConnectionEveryMs: 2000 };

test("an address that was cut off three times gets a connection every two seconds, until it was quiet for ten", () => {
  vi.advanceTimersByTime(60_000);
  const offenders = createOffenders(limits);
  for (let i = 0; i < 3; i++) {
    expect(offenders.admits("10.0.0.1")).toBe(true);
    offenders.cut("10.0.0.1");
  }
  const admitted = () => offenders.admits("10.0.0.1");
  expect([admitted(), admitted()]).toEqual([true, false]);
  vi.advanceTimersByTime(1999);
  expect(admitted()).toBe(false);
  vi.advanceTimersByTime(1);
  expect([admitted(), admitted()]).toEqual([true, false]);
  expect(offenders.admits("10.0.0.2")).toBe(true);
  vi.advanceTimersByTime(8001);
  expect([admitted(), admitted()]).toEqual([true, true]);
});

test("cuts that are far apart slow nobody down", () => {
  const offenders = createOffenders(limits);
  for (let i = 0; i < 10; i++) {
    offenders.cut("10.0.0.1");
    vi.advanceTimersByTime(10_001);
    expect(offenders.admits("10.0.0.1")).toBe(true);
    expect(offenders.admits("10.0.0.1")).toBe(true);
  }
});
