import type pg from "pg";
import { read } from "../../db/read.ts";
import { type NumberRange, numberRanges, toldRangesMax } from "./numberRanges.ts";

/** A session in which numbered actions are missing. */
export type GappedSession = {
  readonly sessionId: string;
  /** The first of them, toldRangesMax at most. */
  readonly missing: readonly NumberRange[];
  /** When a number was last noticed missing, microseconds. */
  readonly detectedMicros: number;
};

/** A page ends with the session whose ranges bring it to this many: 4 MiB is what gRPC clients take. */
const pageRangesMax = 20_000;

const firstMissing = `(select coalesce(range_agg(r), '{}') from (
    select unnest(s.missing) as r limit ${toldRangesMax}) as first)::text as missing`;

/** One page of the sessions in which numbers are missing now, by session id, behind `after`. */
export async function readGaps(
  pool: pg.Pool,
  asked: {
    /** null does not restrict. */
    readonly sessionId: string | null;
    readonly after: string | null;
    readonly limit: number;
  },
): Promise<{ readonly sessions: readonly GappedSession[]; readonly more: boolean }> {
  const values: unknown[] = [asked.limit + 1];
  const where = ["not isempty(s.missing)"];
  if (asked.sessionId !== null) where.push(`s.session_id = $${values.push(asked.sessionId)}`);
  if (asked.after !== null) where.push(`s.session_id > $${values.push(asked.after)}`);
  const rows = await read<{ session_id: string; missing: string; detected_micros: string }>(pool, {
    text: `select s.session_id, ${firstMissing},
             (extract(epoch from s.detected_at) * 1000000)::bigint::text as detected_micros
           from ledger.session_seen s
           where ${where.join(" and ")} order by s.session_id limit $1`,
    values,
  });
  const sessions: GappedSession[] = [];
  let ranges = 0;
  for (const row of rows.slice(0, asked.limit)) {
    const missing = numberRanges(row.missing);
    sessions.push({ sessionId: row.session_id, missing, detectedMicros: Number(row.detected_micros) });
    ranges += missing.length;
    if (ranges >= pageRangesMax) break;
  }
  return { sessions, more: rows.length > sessions.length };
}

/** The numbers that are missing from a session's actions now. */
export async function missingOf(pool: pg.Pool, sessionId: string): Promise<readonly NumberRange[]> {
  const { sessions } = await readGaps(pool, { sessionId, after: null, limit: 1 });
  return sessions[0]?.missing ?? [];
}
