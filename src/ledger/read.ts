import type pg from "pg";
import { read } from "../db/read.ts";
import { pointersOf } from "../exact/pointers.ts";
import { type FoundPage, type Page, PageQuery } from "../log/pageQuery.ts";
import type { Place } from "../log/place.ts";
import { everything, listedLinksMax, withFills } from "./fills/links.ts";
import type { RecordedAction } from "./report.ts";

/** Which actions a reader asks for; null does not restrict. */
export type ActionFilters = {
  /** In lower case. */
  readonly wallet: string | null;
  readonly sessionId: string | null;
  readonly traceId: string | null;
  readonly actionType: string | null;
  /** Accepted at or after, microseconds. */
  readonly fromMicros: bigint | null;
  /** Accepted before, microseconds. */
  readonly toMicros: bigint | null;
};

export type ActionAt = RecordedAction & { readonly place: Place };

type Row = {
  epoch: number;
  xid: string;
  ord: number;
  position: string | null;
  any_links: boolean;
  record_id: string;
  accepted_micros: string;
  retained_until: number;
  event_id: string;
  wallet: string;
  session_id: string;
  action_type: string;
  recorded_by: string;
  trace_id: string | null;
  params_json: string | null;
  inexact_json: string | null;
  occurred_at_ns: string | null;
  session_seq: string | null;
};

/**
 * Asked for each row by the log's index, as a join would read the whole log for every page. Below the
 * horizon each record has its position; a record read by its id may not have one yet.
 */
const position = `select e.position from log.entry e
  where e.epoch = a.epoch and e.xid = a.xid and e.ord = a.ord and e.source = 'a'`;

const columns = `a.epoch, a.xid::text as xid, a.ord, (${position})::text as position,
  (select exists (select from ledger.fill_link)) as any_links, a.record_id,
  (extract(epoch from a.accepted_at) * 1000000)::bigint::text as accepted_micros,
  a.retained_until - date '1970-01-01' as retained_until, a.event_id, a.wallet, a.session_id,
  a.action_type, a.recorded_by, a.trace_id, a.params_json, a.inexact_json,
  a.occurred_at_ns::text as occurred_at_ns, a.session_seq::text as session_seq`;

/** The record of an event id, placed or not; undefined once it was purged. */
export async function readAction(pool: pg.Pool, eventId: string): Promise<ActionAt | undefined> {
  const rows = await read<Row>(pool, {
    name: "ledger.readAction",
    text: `select ${columns}
           from ledger.event_key k
           join ledger.user_action a
             on a.accepted_at = k.accepted_at and a.epoch = k.epoch and a.xid = k.xid and a.ord = k.ord
           where k.event_id = $1`,
    values: [eventId],
  });
  const limits = { through: everything, ofOneMax: listedLinksMax, maxBytes: 1 };
  const found = { records: rows.map(actionOf), more: false };
  return (await withFills(pool, found, mayHaveFills(rows), limits)).records[0];
}

/** One page of the actions that have their place in the log. `linksMax` of an action's fills; null: all. */
export async function readActions(
  pool: pg.Pool,
  filters: ActionFilters,
  page: Page,
  linksMax: number | null = listedLinksMax,
): Promise<FoundPage<ActionAt>> {
  const query = new PageQuery("a", page)
    .where(filters.wallet, (wallet) => `lower(a.wallet) = ${wallet}`)
    .where(filters.sessionId, (sessionId) => `a.session_id = ${sessionId}`)
    .where(filters.traceId, (traceId) => `a.trace_id = ${traceId}`)
    .where(filters.actionType, (actionType) => `a.action_type = ${actionType}`)
    .acceptedBetween(filters.fromMicros, filters.toMicros);
  const text = query.text({
    columns,
    from: "ledger.user_action a",
    bytes: "coalesce(octet_length(a.params_json), 0)",
  });
  const rows = await read<Row & { page_bytes: number }>(pool, { text, values: query.values });
  const limits = { through: page.through, ofOneMax: linksMax, maxBytes: page.maxBytes };
  return withFills(pool, query.page(rows, actionOf), mayHaveFills(rows), limits);
}

/** Whether a record's fills have to be looked for: a ledger without fills, or a trace, is not asked. */
function mayHaveFills(rows: readonly Row[]): (action: { readonly traceId: string | null }) => boolean {
  const anyLinks = rows[0]?.any_links ?? false;
  return (action) => anyLinks && action.traceId !== null;
}

function actionOf(row: Row): Omit<ActionAt, "fillIds"> {
  const position = Number(row.position ?? 0);
  return {
    place: { epoch: row.epoch, position, xid: row.xid, ord: row.ord },
    epoch: position === 0 ? 0 : row.epoch,
    position,
    recordId: row.record_id,
    acceptedMicros: Number(row.accepted_micros),
    retainedUntil: row.retained_until,
    eventId: row.event_id,
    wallet: row.wallet,
    sessionId: row.session_id,
    actionType: row.action_type,
    recordedBy: row.recorded_by,
    traceId: row.trace_id,
    paramsText: row.params_json,
    inexact: pointersOf(row.inexact_json),
    occurredAtNs: row.occurred_at_ns === null ? null : BigInt(row.occurred_at_ns),
    sessionSeq: row.session_seq === null ? null : BigInt(row.session_seq),
  };
}
