import type pg from "pg";

/** The values of a retention parameter in the order in which they came into force, each until the next. */
export type RetainDays = readonly { readonly days: number; readonly sinceMicros: number }[];

/**
 * For each span of acceptance times, the longest retention that was in force at any time since: spans
 * begin at breaksMicros, and days has one value more, for what came before the first break.
 */
export type Spans = { readonly breaksMicros: readonly number[]; readonly days: readonly number[] };

/**
 * R1: raising the value extends what was accepted before, lowering it shortens nothing. A value counts for
 * everything accepted before it went out of force; without any value the rules' floors alone count.
 */
export function spansOf(history: RetainDays): Spans {
  const ends = history.map((value, i) => {
    const next = history[i + 1];
    // Replicas' clocks differ: a value noted after its successor's time was in force until its own.
    return next === undefined ? Number.POSITIVE_INFINITY : Math.max(value.sinceMicros, next.sinceMicros);
  });
  // In force up to and with the microsecond in which the next value was noted.
  const breaksMicros = [...new Set(ends.filter(Number.isFinite))].sort((a, b) => a - b).map((end) => end + 1);
  const longestAfter = (from: number) =>
    history.reduce((days, value, i) => ((ends[i] ?? 0) >= from ? Math.max(days, value.days) : days), 0);
  return { breaksMicros, days: [Number.NEGATIVE_INFINITY, ...breaksMicros].map(longestAfter) };
}

/** The longest retention in force at any time since then, days; 0 when none was ever noted. */
export function longestSince(spans: Spans, acceptedMicros: number): number {
  let span = 0;
  while ((spans.breaksMicros[span] ?? Number.POSITIVE_INFINITY) <= acceptedMicros) span++;
  return spans.days[span] ?? 0;
}

type Queryable = Pick<pg.ClientBase, "query">;

/** What maintenance.note_retain_days has noted for a bot. */
export async function loadRetainDays(client: Queryable, bot: string): Promise<RetainDays> {
  const { rows } = await client.query<{ days: number; since_micros: string }>(
    `select days, (extract(epoch from since) * 1000000)::bigint::text as since_micros
     from maintenance.retain_days where bot = $1 order by seq`,
    [bot],
  );
  return rows.map((row) => ({ days: row.days, sinceMicros: Number(row.since_micros) }));
}

/** Notes the value in force from then on; nothing changes when it is already. */
export async function noteRetainDays(
  client: Queryable,
  bot: string,
  days: number,
  atMicros: number,
): Promise<void> {
  await client.query(
    `select maintenance.note_retain_days($1, $2::int, timestamptz 'epoch' + $3::bigint * interval '1 microsecond')`,
    [bot, days, atMicros],
  );
}
