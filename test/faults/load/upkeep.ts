import type { Victim } from "../parts/postgres.ts";

/**
 * What operators put on record beside the callers, and which the log holds as well: a legal hold and its release, a
 * purge's start and end, a scrub's receipt. With plain SQL, in a transaction each; resolves once all are committed.
 */
export async function recordUpkeep(postgres: Victim, id: string): Promise<void> {
  const statements = [
    `insert into maintenance.legal_hold (hold_id, kind, session_id, reason, placed_by, placed_at)
     values ($1, 'a', $1, 'a case', 'counsel', now())`,
    `insert into maintenance.legal_hold_release (hold_id, reason, released_by, released_at)
     values ($1, 'closed', 'counsel', now())`,
    "insert into maintenance.purge_run (run_id, started_at, started_by) values ($1, now(), 'keeper')",
    "insert into maintenance.purge_end (run_id, ended_at) values ($1, now())",
    `insert into ledger.erasure (receipt_id, identity, record_id, asked_by, asked_at, scrubbed_at, records, tables_json, key_id)
     values ($1, $1, $1, 'keeper', now(), now(), 0, '{}', 'none')`,
  ];
  for (const statement of statements) await postgres.query(statement, [id]);
}
