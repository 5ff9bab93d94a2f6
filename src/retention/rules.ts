import { retainedUntilDay } from "../ledger/retention.ts";
import { longestSince, type Spans } from "./retainDays.ts";

const dayMicros = 86_400_000_000;

/** Parameter changes are never kept shorter than this, whatever the configuration says (R3). */
export const retainHistoryDaysFloor = 365;

/** How long a kind of record is kept, floors included. */
export type Rule = {
  /** The bot whose parameter says how many days. */
  readonly bot: "gov.useractivityledger" | "gov.parameterchangeauditor";
  /** The last UTC day, in days since 1970-01-01, on which a record accepted then is kept. Never falls as time goes on. */
  readonly untilDay: (acceptedMicros: number, days: number) => number;
};

/** R1. */
export const ledgerRule: Rule = { bot: "gov.useractivityledger", untilDay: retainedUntilDay };

/** R3. */
export const auditorRule: Rule = {
  bot: "gov.parameterchangeauditor",
  untilDay: (acceptedMicros, days) =>
    Math.floor(acceptedMicros / dayMicros) + Math.max(days, retainHistoryDaysFloor),
};

/** Until when a record is kept: what it was promised, and what was in force since; days since 1970-01-01. */
export function keptUntilDay(
  rule: Rule,
  spans: Spans,
  acceptedMicros: number,
  promisedDay: number | null,
): number {
  const days = longestSince(spans, acceptedMicros);
  return Math.max(promisedDay ?? 0, rule.untilDay(acceptedMicros, days));
}

/** The first time, microseconds, whose records the rule still keeps on that day; what came before is past it. */
export function keptFromMicros(rule: Rule, days: number, todayDay: number): number {
  const until = (day: number) => rule.untilDay(day * dayMicros, days);
  let day = todayDay - (until(todayDay) - todayDay);
  while (until(day) >= todayDay) day--;
  while (until(day) < todayDay) day++;
  return day * dayMicros;
}

/**
 * The day that the purge goes by: the earlier of the service's and the database's, so that a clock that is
 * ahead takes nothing too soon. Days since 1970-01-01, UTC.
 */
export function purgeDay(serviceMicros: number, databaseMicros: number): number {
  return Math.floor(Math.min(serviceMicros, databaseMicros) / dayMicros);
}

/** Beyond this the clocks tell two stories and the purge believes neither. */
export const clocksMayDifferMicros = 3_600_000_000;
