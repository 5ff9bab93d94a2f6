import type pg from "pg";
import { read } from "../../db/read.ts";
import { type FoundPage, type Page, PageQuery } from "../../log/pageQuery.ts";
import type { Place } from "../../log/place.ts";
import { listedLinksMax, withActions } from "./links.ts";
import type { RecordedFill } from "./report.ts";

/** Which execution reports a reader asks for; null does not restrict. */
export type FillFilters = {
  /** Any name of the fill. */
  readonly fillId: string | null;
  readonly tradeId: string | null;
  readonly orderId: string | null;
  readonly traceId: string | null;
  /** In lower case. */
  readonly wallet: string | null;
  /** Accepted at or after, microseconds. */
  readonly fromMicros: bigint | null;
  /** Accepted before, microseconds. */
  readonly toMicros: bigint | null;
};

export type FillAt = RecordedFill & { readonly place: Place };

type Row = {
  epoch: number;
  xid: string;
  ord: number;
  position: string | null;
  any_links: boolean;
  accepted_micros: string;
  retained_until: number;
  matched_at_ns: string | null;
  updated_at_ns: string | null;
  fill_id: string;
  sent_fill_id: string | null;
  trade_id: string | null;
  order_id: string | null;
  trace_id: string | null;
  wallet: string | null;
  status: string;
  market: string | null;
  asset_id: string | null;
  side: string | null;
  size: string | null;
  price: string | null;
  fee_rate_bps: string | null;
  outcome: string | null;
  trader_side: string | null;
  transaction_hash: string | null;
  recorded_by: string;
  raw_json: string | null;
};

/** Asked for each row by the log's index, as a join would read the whole log for every page. */
const position = `select e.position from log.entry e
  where e.epoch = f.epoch and e.xid = f.xid and e.ord = f.ord and e.source = 'f'`;

/** $1 and $2 are how far the page reads the log (PageQuery): the names known there. Of a contradiction, the first. */
const ownName = `select min(n.fill_id) from ledger.fill_alias n
  where n.made_fill_id = f.fill_id and (n.epoch, n.xid) < ($1::int, $2::text::xid8)`;

const columns = `f.epoch, f.xid::text as xid, f.ord, (${position})::text as position,
  (select exists (select from ledger.fill_link)) as any_links,
  (extract(epoch from f.accepted_at) * 1000000)::bigint::text as accepted_micros,
  f.retained_until - date '1970-01-01' as retained_until, f.matched_at_ns::text as matched_at_ns,
  f.updated_at_ns::text as updated_at_ns, coalesce((${ownName}), f.fill_id) as fill_id, f.sent_fill_id,
  f.trade_id, f.order_id, f.trace_id, f.wallet, f.status, f.market, f.asset_id, f.side, f.size, f.price,
  f.fee_rate_bps, f.outcome, f.trader_side, f.transaction_hash, f.recorded_by, f.raw_json`;

/** One page of the execution reports that have their place in the log. `linksMax` of a report's actions; null: all. */
export function readFills(
  pool: pg.Pool,
  filters: FillFilters,
  page: Page,
  linksMax: number | null = listedLinksMax,
): Promise<FoundPage<FillAt>> {
  const query = new PageQuery("f", page)
    .where(filters.tradeId, (tradeId) => `f.trade_id = ${tradeId}`)
    .where(filters.orderId, (orderId) => `f.order_id = ${orderId}`)
    .where(filters.traceId, (traceId) => `f.trace_id = ${traceId}`)
    .where(filters.wallet, (wallet) => `lower(f.wallet) = ${wallet}`)
    .acceptedBetween(filters.fromMicros, filters.toMicros);
  if (filters.fillId === null) return readPage(pool, query, "ledger.fill_report", page, linksMax);
  const of = query.values.push(filters.fillId);
  return readPage(pool, query, reportsOf(`select $${of}::text as fill_id`), page, linksMax);
}

/** One page of the reports of those fills that are linked to an action of the session. */
export function readSessionFills(pool: pg.Pool, sessionId: string, page: Page): Promise<FoundPage<FillAt>> {
  const query = new PageQuery("f", page);
  const of = query.values.push(sessionId);
  const linked = `select l.fill_id from ledger.fill_link l
    where l.session_id = $${of}::text and (l.epoch, l.xid) < ($1::int, $2::text::xid8)`;
  return readPage(pool, query, reportsOf(linked), page, listedLinksMax);
}

/**
 * The reports of the fills that the query names, under all names of theirs. "offset 0" has them found by
 * their fill before they are sorted: the log's index, which is sorted already, would be read from its end.
 */
function reportsOf(fillIds: string): string {
  return `(
    with asked as (${fillIds}), fill as (
      select fill_id from asked
      union
      select n.fill_id from asked a join ledger.fill_alias n on n.made_fill_id = a.fill_id
      where (n.epoch, n.xid) < ($1::int, $2::text::xid8)
    ), name as (
      select fill_id from fill
      union
      select n.made_fill_id from fill join ledger.fill_alias n on n.fill_id = fill.fill_id
      where (n.epoch, n.xid) < ($1::int, $2::text::xid8)
    )
    select * from ledger.fill_report where fill_id = any (array(select fill_id from name)) offset 0
  )`;
}

async function readPage(
  pool: pg.Pool,
  query: PageQuery,
  from: string,
  page: Page,
  ofOneMax: number | null,
): Promise<FoundPage<FillAt>> {
  const bytes = "coalesce(octet_length(f.raw_json), 0)";
  const text = query.text({ columns, from: `${from} f`, bytes });
  const rows = await read<Row & { page_bytes: number }>(pool, { text, values: query.values });
  const anyLinks = rows[0]?.any_links ?? false;
  const found = query.page(rows, fillOf);
  const limits = { through: page.through, ofOneMax, maxBytes: page.maxBytes };
  return withActions(pool, found, () => anyLinks, limits);
}

function fillOf(row: Row): Omit<FillAt, "linkedEventIds"> {
  const nanos = (text: string | null) => (text === null ? null : BigInt(text));
  return {
    place: { epoch: row.epoch, position: Number(row.position ?? 0), xid: row.xid, ord: row.ord },
    acceptedMicros: Number(row.accepted_micros),
    retainedUntil: row.retained_until,
    recordedBy: row.recorded_by,
    fillId: row.fill_id,
    sentFillId: row.sent_fill_id,
    tradeId: row.trade_id,
    orderId: row.order_id,
    traceId: row.trace_id,
    wallet: row.wallet,
    status: row.status,
    market: row.market,
    assetId: row.asset_id,
    side: row.side,
    size: row.size,
    price: row.price,
    feeRateBps: row.fee_rate_bps,
    outcome: row.outcome,
    traderSide: row.trader_side,
    transactionHash: row.transaction_hash,
    matchedAtNs: nanos(row.matched_at_ns),
    updatedAtNs: nanos(row.updated_at_ns),
    rawText: row.raw_json,
  };
}
