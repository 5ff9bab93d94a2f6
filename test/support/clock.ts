import type { Clock } from "../../src/clock.ts";

/** A wall clock that stands where a test sets it; deadlines still run on the real monotonic one. */
export type StoppedClock = Clock & { set(iso: string): void };

export function stoppedClock(iso: string): StoppedClock {
  let micros = microsOf(iso);
  return {
    nowMicros: () => micros,
    monotonicMs: () => performance.now(),
    set(to) {
      micros = microsOf(to);
    },
  };
}

/** Microseconds since 1970 of an RFC 3339 time in UTC with up to six digits of a second. */
export function microsOf(iso: string): number {
  const match = /^(.{19})(?:\.(\d{1,6}))?Z$/.exec(iso);
  if (match === null) throw new Error(`${iso} is not a time in UTC`);
  return Date.parse(`${match[1]}Z`) * 1000 + Number((match[2] ?? "").padEnd(6, "0"));
}
