import { longestSince, type RetainDays, spansOf } from "../retention/retainDays.ts";

const dayMs = 86_400_000;
const yearsKept = 7;

/** Records are never kept shorter than this, whatever the configuration says (spec 001 §6). */
export const retainDaysFloor = 2555;

/**
 * The last UTC day, in days since 1970-01-01, on which a record accepted then is certainly kept (R1):
 * the later of retainDays on and the same calendar date seven years on (29 February: 1 March).
 */
export function retainedUntilDay(acceptedMicros: number, retainDays: number): number {
  const day = Math.floor(acceptedMicros / 1000 / dayMs);
  if (day !== cached.day || retainDays !== cached.retainDays) {
    const date = new Date(day * dayMs);
    const sevenYears =
      Date.UTC(date.getUTCFullYear() + yearsKept, date.getUTCMonth(), date.getUTCDate()) / dayMs;
    const counted = day + Math.max(retainDays, retainDaysFloor);
    cached = { day, retainDays, until: Math.max(sevenYears, counted) };
  }
  return cached.until;
}

/** Nearly all records of a day ask the same question. */
let cached = { day: Number.NaN, retainDays: 0, until: 0 };

/** Until when stored records are kept: R1 with every retain_days that was in force since they were accepted. */
export type LedgerRetention = {
  /** The record as it is, or with the later retainedUntil that a raise gave it. */
  extended<T extends { readonly acceptedMicros: number; readonly retainedUntil: number }>(record: T): T;
};

/** `history` answers every retain_days that was in force, as far as is known now. */
export function createLedgerRetention(history: () => RetainDays): LedgerRetention {
  let known: RetainDays = [];
  let spans = spansOf(known);
  return {
    extended(record) {
      const current = history();
      if (current !== known) {
        known = current;
        spans = spansOf(current);
      }
      const until = retainedUntilDay(record.acceptedMicros, longestSince(spans, record.acceptedMicros));
      return until > record.retainedUntil ? { ...record, retainedUntil: until } : record;
    },
  };
}
