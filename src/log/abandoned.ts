import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { repeat } from "../repeat.ts";

/** One that waits for its client at two looks is ended: within 3 s, so that the log goes on within 5. */
const everyMs = 1_000;

/**
 * Ends sessions of the service, of whichever replica, whose write transaction waits for a process that does nothing:
 * it was stopped, or its machine is gone. Until then the transaction would hold up the log, and keep its locks. A
 * process that comes back finds its connection lost, as after any other failure. Disposing stops it.
 */
export function endAbandoned({
  pool,
  log,
}: {
  readonly pool: pg.Pool;
  readonly log: Logger;
}): AsyncDisposable {
  /** The transactions that waited for their client at the last look. */
  let waiting: readonly string[] = [];

  return repeat(everyMs, async () => {
    try {
      const { rows } = await pool.query<{ xid: string; ended: boolean | null }>({
        name: "log.abandoned",
        text: abandoned,
        values: [waiting],
      });
      const ended = rows.filter((row) => row.ended === true).length;
      if (ended > 0)
        log.warn({ ended }, "sessions that held up the log were ended: their process does nothing");
      waiting = rows.map((row) => row.xid);
    } catch (cause) {
      waiting = [];
      log.debug({ code: sqlState(cause) }, "whether a session holds up the log cannot be seen now");
    }
  });
}

/**
 * Timeouts of Postgres' own do not do it: one that has written its answer halfway, or was not told yet that the
 * statement ends, counts as at work. Sessions of other roles are neither shown to the service nor its to end.
 */
const abandoned = `
  select backend_xid::text as xid, case when backend_xid::text = any ($1::text[]) then pg_terminate_backend(pid) end as ended
  from pg_stat_activity
  where datname = current_database() and usename = current_user and application_name like 'governance %'
    and backend_xid is not null and wait_event_type = 'Client'
    and state_change < clock_timestamp() - interval '1 second'`;
