import type { EventStreamState } from "../bus/availability.ts";
import type { Clock } from "../clock.ts";
import type { BufferState } from "../journal/spool/spool.ts";
import { auditorHealth, type HealthReport, ledgerHealth, type PostgresState } from "./healthReport.ts";

/** The health pages of both bots, each under its path. What they tell is at hand: nobody is asked for it. */
export function createHealthPages(now: {
  readonly clock: Clock;
  readonly postgres: () => PostgresState;
  readonly buffer: (bot: "gov.useractivityledger" | "gov.parameterchangeauditor") => BufferState;
  readonly retainDays: () => number;
  readonly retainHistoryDays: () => number;
  /** When a change was last recorded, microseconds. */
  readonly lastChangeMicros: () => number | undefined;
  /** Undefined where no bus is read. */
  readonly eventStream: (() => EventStreamState) | undefined;
}): ReadonlyMap<string, () => HealthReport> {
  function lastChangeSeconds(): number | undefined {
    const lastMicros = now.lastChangeMicros();
    if (lastMicros === undefined) return undefined;
    return Math.max(0, Math.floor((now.clock.nowMicros() - lastMicros) / 1_000_000));
  }

  return new Map([
    [
      "/internal/health/useractivityledger",
      () =>
        ledgerHealth({
          postgres: now.postgres(),
          buffer: now.buffer("gov.useractivityledger"),
          retentionDays: now.retainDays(),
          eventStream: now.eventStream?.(),
        }),
    ],
    [
      "/internal/health/parameterchangeauditor",
      () =>
        auditorHealth({
          postgres: now.postgres(),
          buffer: now.buffer("gov.parameterchangeauditor"),
          retentionDays: now.retainHistoryDays(),
          lastChangeSeconds: lastChangeSeconds(),
        }),
    ],
  ]);
}
