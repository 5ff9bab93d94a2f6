import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Count, decide, monthOf } from "../../../src/retention/months.ts";
import { longestSince, type RetainDays, spansOf } from "../../../src/retention/retainDays.ts";
import {
  auditorRule,
  clocksMayDifferMicros,
  keptFromMicros,
  keptUntilDay,
  ledgerRule,
  purgeDay,
  type Rule,
} from "../../../src/retention/rules.ts";
import { conflicts, fillLinks, monthlyTables, userActions } from "../../../src/retention/tables.ts";

const dayMicros = 86_400_000_000;
const micros = (iso: string) => Date.parse(iso) * 1000;
const dayOf = (iso: string) => micros(`${iso}T00:00:00Z`) / dayMicros;

const accepted = fc.oneof(
  fc.integer({ min: micros("1990-01-01T00:00:00Z"), max: micros("2110-12-31T00:00:00Z") }),
  // The edges of days around leap days and turns of the year.
  fc
    .record({
      year: fc.integer({ min: 1992, max: 2108 }),
      day: fc.constantFrom("02-28", "02-29", "03-01", "12-31", "01-01"),
      offset: fc.constantFrom(0, 1, dayMicros - 1),
    })
    .map(({ year, day, offset }) => micros(`${year}-${day.replace("02-29", "03-01")}T00:00:00Z`) + offset),
);
const days = fc.oneof(
  fc.constantFrom(1, 30, 364, 365, 1825, 2554, 2555, 2556, 2557, 3650),
  fc.integer({ min: 1, max: 36_500 }),
);

/** Values in the order of their noting; replicas' clocks may make time go back between two. */
const history: fc.Arbitrary<RetainDays> = fc.array(fc.record({ days, sinceMicros: accepted }), {
  maxLength: 6,
});

/** R1, worked out record by record from the words of the ruling. */
function inForceSince(values: RetainDays, acceptedMicros: number): number {
  let longest = 0;
  values.forEach((value, i) => {
    const next = values[i + 1];
    const wentOutAt =
      next === undefined ? Number.POSITIVE_INFINITY : Math.max(next.sinceMicros, value.sinceMicros);
    if (wentOutAt >= acceptedMicros) longest = Math.max(longest, value.days);
  });
  return longest;
}

test("a value counts for everything that was accepted before it went out of force", () => {
  fc.assert(
    fc.property(history, accepted, (values, at) => {
      expect(longestSince(spansOf(values), at)).toBe(inForceSince(values, at));
    }),
    { numRuns: 1000 },
  );
});

test("raising retain_days extends old records, lowering it shortens none", () => {
  fc.assert(
    fc.property(history, accepted, accepted, days, (values, at, noted, value) => {
      const before = keptUntilDay(ledgerRule, spansOf(values), at, null);
      const after = keptUntilDay(
        ledgerRule,
        spansOf([...values, { days: value, sinceMicros: Math.max(at, noted) }]),
        at,
        null,
      );
      expect(after).toBeGreaterThanOrEqual(Math.max(before, ledgerRule.untilDay(at, value)));
    }),
    { numRuns: 1000 },
  );
});

describe.each([
  { name: "ledger", rule: ledgerRule, floor: 2555 },
  { name: "auditor", rule: auditorRule, floor: 365 },
])("the $name's rule", ({ rule, floor }: { rule: Rule; floor: number }) => {
  test(`keeps every record for ${floor} days at least, whatever the clocks, the configuration and its history`, () => {
    fc.assert(
      fc.property(history, accepted, fc.integer({ min: 0, max: 20_000 }), (values, at, age) => {
        const today = Math.floor(at / dayMicros) + age;
        const until = keptUntilDay(rule, spansOf(values), at, null);
        if (until < today) expect(age).toBeGreaterThan(floor);
        expect(until - Math.floor(at / dayMicros)).toBeGreaterThanOrEqual(floor);
      }),
      { numRuns: 2000 },
    );
  });

  test("turns into one time before which all is past and from which nothing is", () => {
    fc.assert(
      fc.property(days, accepted, (value, now) => {
        const today = Math.floor(now / dayMicros);
        const from = keptFromMicros(rule, value, today);
        expect(rule.untilDay(from, value)).toBeGreaterThanOrEqual(today);
        expect(rule.untilDay(from - 1, value)).toBeLessThan(today);
      }),
      { numRuns: 2000 },
    );
  });

  test("never keeps a later record shorter", () => {
    fc.assert(
      fc.property(accepted, fc.integer({ min: 0, max: 800 * dayMicros }), days, (at, later, value) => {
        expect(rule.untilDay(at + later, value)).toBeGreaterThanOrEqual(rule.untilDay(at, value));
      }),
      { numRuns: 1000 },
    );
  });
});

test("the day is the earlier clock's, and a clock that is ahead by what is tolerated takes nothing too soon", () => {
  fc.assert(
    fc.property(
      accepted,
      fc.integer({ min: -clocksMayDifferMicros, max: clocksMayDifferMicros }),
      (now, skew) => {
        expect(purgeDay(now + skew, now)).toBe(Math.floor(Math.min(now, now + skew) / dayMicros));
        expect(purgeDay(now, now + skew)).toBe(purgeDay(now + skew, now));
      },
    ),
  );
});

describe("what becomes of a month", () => {
  const month = monthOf(userActions, "2016-02");
  const today = dayOf("2024-01-01");
  const count = (more: Partial<Count>): Count => ({
    records: 10,
    expired: 10,
    held: 0,
    inForce: 0,
    unplaced: 0,
    untilDay: dayOf("2023-03-01"),
    ...more,
  });

  test.each<[string, Partial<Count>, boolean, string]>([
    ["all past goes whole", {}, false, "whole"],
    ["all past and some held: what is held moves aside", { held: 3 }, false, "aside"],
    ["all past and all held stays", { held: 10 }, false, "keep"],
    ["all past and in force stays without a word", { held: 10, inForce: 10 }, false, "leave"],
    ["all past, some held and the others in force stays", { held: 10, inForce: 4 }, false, "keep"],
    ["one not past keeps all", { expired: 9, held: 9 }, false, "keep"],
    ["one without its place in the log keeps all", { unplaced: 1 }, false, "keep"],
    ["none past is not worth a word", { expired: 0 }, false, "leave"],
    ["empty goes", { records: 0, expired: 0, untilDay: undefined }, false, "whole"],
    [
      "empty stays where records may still come",
      { records: 0, expired: 0, untilDay: undefined },
      true,
      "leave",
    ],
    ["all past leaves an empty one where records may still come", {}, true, "aside"],
  ])("%s", (_, more, mayGrow, kind) => {
    expect(decide(month, count(more), mayGrow, today)).toEqual({ kind });
  });

  test("an empty month stays until its last day would be past", () => {
    const empty = { records: 0, expired: 0, held: 0, inForce: 0, unplaced: 0, untilDay: undefined };
    // 2016-02-29 is kept until 2023-03-01.
    expect(decide(month, empty, false, dayOf("2023-03-01"))).toEqual({ kind: "leave" });
    expect(decide(month, empty, false, dayOf("2023-03-02"))).toEqual({ kind: "whole" });
  });

  test("nothing but a month whose every record is past is ever taken", () => {
    const counts = fc.nat(5).chain((records) =>
      fc.nat(records).chain((expired) =>
        fc.nat(expired).chain((held) =>
          fc.record({
            records: fc.constant(records),
            expired: fc.constant(expired),
            held: fc.constant(held),
            inForce: fc.nat(held),
            unplaced: fc.nat(records),
            untilDay: fc.constant(undefined),
          }),
        ),
      ),
    );
    fc.assert(
      fc.property(counts, fc.boolean(), fc.integer({ min: 0, max: 40_000 }), (found, mayGrow, day) => {
        const { kind } = decide(month, found, mayGrow, day);
        if (kind === "whole" || kind === "aside")
          expect([found.expired, found.unplaced]).toEqual([found.records, 0]);
        if (kind === "whole") expect(found.held).toBe(0);
      }),
      { numRuns: 2000 },
    );
  });
});

test("fills are taken before their links, and links after the actions that they belong to", () => {
  const names = monthlyTables.map(({ name }) => name);
  expect(names.indexOf(userActions.name)).toBeLessThan(names.indexOf(fillLinks.name));
  expect(names.indexOf("ledger.fill_report")).toBeLessThan(names.indexOf(fillLinks.name));
  expect(names).not.toContain(conflicts.name);
});
