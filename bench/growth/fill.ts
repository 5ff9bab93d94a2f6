import type pg from "pg";

/** Months that the rows are spread over, this one the last: seven years, and one of records past them. */
export const months = 96;

/** Actions of one wallet: more rows are more users. */
export const actionsPerWallet = 100;

/** Rows in one transaction. */
const batchRows = 5_000;

/** The share of all rows that each of the two oldest months has: they are there to be purged. */
const oldestShare = 0.1;

/** The wallet of this number, as it stands in a filled ledger. */
export function walletOf(number: number): string {
  return `0x${number.toString(16).padStart(40, "a")}`;
}

/** The trace of this action, as it stands in a filled ledger. */
export function traceOf(row: number): string {
  return `trc_${row}`;
}

/**
 * Records `rows` actions through the ledger's own function, in batches as the journal's, oldest month
 * first, and gives them their positions. Ids are random, as those of real producers.
 */
export async function fill(database: pg.Client, rows: number): Promise<void> {
  const wallets = Math.max(1, Math.floor(rows / actionsPerWallet));
  const otherMonthsRows = Math.ceil((rows * (1 - 2 * oldestShare)) / (months - 2));
  await database.query("set synchronous_commit = off");
  let first = 0;
  for (let month = 0; month < months; month++) {
    const wanted = month < 2 ? Math.floor(rows * oldestShare) : otherMonthsRows;
    const count = Math.min(wanted, rows - first);
    if (count <= 0) break;
    const monthsAgo = months - 1 - month;
    await database.query(
      "select maintenance.ensure_month(date_trunc('month', now()) - make_interval(months => $1))",
      [monthsAgo],
    );
    for (let done = 0; done < count; done += batchRows) {
      const batch = Math.min(batchRows, count - done);
      await database.query({
        name: "fill",
        text: statement,
        values: [first + done, batch, wallets, monthsAgo, done / count],
      });
    }
    await database.query("select log.advance(1000000000)");
    await database.query("select log.follow(1000000000, (select horizon from log.state), now()) as step");
    first += count;
  }
  await database.query("vacuum analyze");
}

// One batch of rows from $1 on, in the month $4 months ago, from the share $5 of its days on.
const statement = `
  with rows as (
    select
      array_agg(gen_random_uuid()::text) as event_id,
      array_agg(decode(md5(n::text) || md5(n::text), 'hex')) as content_hash,
      array_agg(upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 26))) as record_id,
      array_agg(at) as accepted_at,
      array_agg((at at time zone 'UTC')::date + 2557) as retained_until,
      array_agg('0x' || lpad(to_hex((n::bigint * 7919) % $3::bigint), 40, 'a')) as wallet,
      array_agg('sess_' || (n / 20)::text) as session_id,
      array_agg('STRATEGY_START'::text) as action_type,
      array_agg('bench'::text) as recorded_by,
      array_agg('trc_' || n::text) as trace_id,
      array_agg('{"strategy":"sports-model","max_stake_pusd":250,"markets":["epl","nba"]}'::text) as params,
      array_agg(null::text) as none,
      array_agg(null::bigint) as no_number
    from generate_series($1::int, $1::int + $2::int - 1) as n, lateral (
      select date_trunc('month', now()) - make_interval(months => $4::int)
        + interval '20 days' * $5::float8 + (n - $1::int) * interval '1 millisecond' as at
    ) t
  )
  select count(*) from rows r, lateral ledger.append(
    p_event_id => r.event_id, p_content_hash => r.content_hash, p_record_id => r.record_id,
    p_accepted_at => r.accepted_at, p_retained_until => r.retained_until, p_wallet => r.wallet,
    p_session_id => r.session_id, p_action_type => r.action_type, p_recorded_by => r.recorded_by,
    p_trace_id => r.trace_id, p_params_json => r.params, p_inexact_json => r.none,
    p_occurred_at_ns => r.no_number, p_session_seq => r.no_number, p_mentions => r.none,
    p_key_mentions => r.none, p_former_event_id => r.none, p_closing => '{}', p_closing_identity => '{}',
    p_identities => '{}', p_producer_subject => '{}', p_producer_stream => '{}', p_producer_offset => '{}',
    p_producer_follows => '{}')`;
