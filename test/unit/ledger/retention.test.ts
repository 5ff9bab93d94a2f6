import fc from "fast-check";
import { expect, test } from "vitest";
import { retainedUntilDay } from "../../../src/ledger/retention.ts";

const dayMs = 86_400_000;
const days = (iso: string) => Date.parse(`${iso}T00:00:00Z`) / dayMs;
const textOf = (day: number) => new Date(day * dayMs).toISOString().slice(0, 10);

function retainedUntil(acceptedAt: string, retainDays = 2555): string {
  return textOf(retainedUntilDay(Date.parse(acceptedAt) * 1000, retainDays));
}

test("the example of the specification: 2026-05-09 is kept until 2033-05-09", () => {
  expect(retainedUntil("2026-05-09T10:00:00Z")).toBe("2033-05-09");
});

test("29 February is kept until 1 March, seven years on", () => {
  expect(retainedUntil("2024-02-29T12:00:00Z")).toBe("2031-03-01");
  expect(retainedUntil("2028-02-29T12:00:00Z")).toBe("2035-03-01");
});

test("the day is UTC's, up to its last microsecond", () => {
  expect(retainedUntil("2026-05-09T00:00:00Z")).toBe("2033-05-09");
  expect(textOf(retainedUntilDay(Date.parse("2026-05-10T00:00:00Z") * 1000 - 1, 2555))).toBe("2033-05-09");
});

test("more days than seven years extend it; fewer than the regulation's never shorten it", () => {
  expect(retainedUntil("2026-05-09T10:00:00Z", 3650)).toBe("2036-05-06");
  for (const retainDays of [1, 30, 1825, 2554, 2555, 2556, 2557]) {
    expect(retainedUntil("2026-05-09T10:00:00Z", retainDays)).toBe("2033-05-09");
  }
});

const acceptedDay = fc.integer({ min: days("1970-01-01"), max: days("2240-12-31") });
const timeOfDayMicros = fc.integer({ min: 0, max: dayMs * 1000 - 1 });

/** The same date seven years on, worked out on the text of the date alone. */
function sevenYearsOn(date: string): string {
  const year = Number(date.slice(0, 4)) + 7;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return date.slice(5) === "02-29" && !leap ? `${year}-03-01` : `${year}${date.slice(4)}`;
}

test("a record is never promised less than its retain_days, 2555 days, or the same date seven years on", () => {
  fc.assert(
    fc.property(
      acceptedDay,
      timeOfDayMicros,
      fc.integer({ min: 1, max: 36_500 }),
      (day, micros, retainDays) => {
        const until = retainedUntilDay(day * dayMs * 1000 + micros, retainDays);
        expect(until - day).toBeGreaterThanOrEqual(Math.max(2555, retainDays));
        expect(textOf(until) >= sevenYearsOn(textOf(day))).toBe(true);
        expect([day + Math.max(2555, retainDays), days(sevenYearsOn(textOf(day)))]).toContain(until);
      },
    ),
    { numRuns: 500 },
  );
});

test("leap days are found wherever they lie", () => {
  const leapYear = fc.integer({ min: 493, max: 559 }).map((n) => n * 4);
  fc.assert(
    fc.property(
      leapYear.filter((year) => year % 100 !== 0 || year % 400 === 0),
      (year) => {
        expect(retainedUntil(`${year}-02-29T00:00:00Z`)).toBe(sevenYearsOn(`${year}-02-29`));
      },
    ),
    { numRuns: 50 },
  );
});
