import type pg from "pg";
import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import { sqlState } from "../db/pool.ts";
import { repeat } from "../repeat.ts";

const everyMs = 2_000;

/**
 * Shows how far the log is behind what was committed, and how far the database's clock is from ours. While the
 * database is away what was found last stays, and gets older. Disposing stops it.
 */
export function watchLog(options: {
  readonly pool: pg.Pool;
  readonly registry: Registry;
  readonly clock: Clock;
  /** Has the log moved on: whoever committed what waits may be gone, and what held it up may be over. */
  readonly nudge: () => void;
  readonly log: Logger;
}): AsyncDisposable {
  const { pool, clock, log } = options;
  const registers = [options.registry];
  let records = 0;
  let clockSeconds = 0;
  /** The oldest transaction that waits, and since when it was seen to. */
  let oldest: { readonly xid: string; readonly sinceMs: number } | undefined;

  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge(
    "polytraders_gov_log_unplaced_records",
    "Committed records without a position in the log.",
    () => records,
  );
  gauge(
    "polytraders_gov_log_horizon_seconds",
    "How long the oldest record without a position has been waiting for one, as far as it was seen; 0 when none does.",
    () => (oldest === undefined ? 0 : (clock.monotonicMs() - oldest.sinceMs) / 1000),
  );
  gauge(
    "polytraders_gov_database_clock_seconds",
    "How far the database's clock is ahead of this process's.",
    () => clockSeconds,
  );

  return repeat(everyMs, async () => {
    try {
      const askedMicros = clock.nowMicros();
      const { rows } = await pool.query<{ records: string; oldest: string | null; now_micros: string }>({
        name: "log.behind",
        text: `select records::text as records, oldest::text as oldest,
          (extract(epoch from clock_timestamp()) * 1000000)::bigint::text as now_micros from log.behind()`,
      });
      const [row] = rows;
      if (row === undefined) return;
      // The answer was made halfway, roughly.
      clockSeconds = (Number(row.now_micros) - (askedMicros + clock.nowMicros()) / 2) / 1_000_000;
      records = Number(row.records);
      if (records > 0) options.nudge();
      if (row.oldest === null) oldest = undefined;
      else if (row.oldest !== oldest?.xid) oldest = { xid: row.oldest, sinceMs: clock.monotonicMs() };
    } catch (cause) {
      log.debug({ code: sqlState(cause) }, "how far the log is behind cannot be seen now");
    }
  });
}
