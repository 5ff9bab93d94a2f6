import type pg from "pg";
import { textArray, timestamptzArray } from "../../db/binaryArrays.ts";
import { read } from "../../db/read.ts";
import type { FoundPage } from "../../log/pageQuery.ts";

/** How far a reader reads the log: links and names beyond are not there yet. */
export type Through = { readonly epoch: number; readonly horizon: string };

/** Whatever is on record. */
export const everything: Through = { epoch: 2 ** 31 - 1, horizon: "18446744073709551615" };

/** What a list shows of what one record is linked to: an answer has to stay below 4 MiB. An export has all. */
export const listedLinksMax = 1000;

/** Links read at a time, but for those of a single record. */
const linksAtATime = 20_000;

/** Which links to read of the records of a page. */
export type LinkLimits = {
  readonly through: Through;
  /** Of one record at most; null: all. */
  readonly ofOneMax: number | null;
  /** The page ends with the record whose links bring it to this many bytes. */
  readonly maxBytes: number;
};

type LinkRow = { readonly nth: number; readonly id: string };

/**
 * Looked up for each action in its own month; the oldest link first, each fill by the id it has of its own.
 * "offset 0" has the links found by their action before they are sorted: the log's index, which is sorted
 * already, would be read from its beginning.
 */
const fillsOfActions = `
  select k.nth::int as nth, coalesce(n.fill_id, l.fill_id) as id
  from unnest($1::timestamptz[], $2::text[]) with ordinality as k (accepted_at, event_id, nth)
  cross join lateral (
    select * from (
      select fill_id, epoch, xid, ord from ledger.fill_link
      where action_accepted_at = k.accepted_at and event_id = k.event_id and (epoch, xid) < ($3::int, $4::text::xid8)
      offset 0
    ) as found order by epoch, xid, ord limit $5::bigint
  ) as l
  left join ledger.fill_alias n on n.made_fill_id = l.fill_id and (n.epoch, n.xid) < ($3::int, $4::text::xid8)
  order by k.nth, l.epoch, l.xid, l.ord, n.fill_id limit $6::bigint`;

/** The page's actions with the fills that are linked to them. */
export function withFills<T extends { readonly acceptedMicros: number; readonly eventId: string }>(
  pool: pg.Pool,
  page: FoundPage<T>,
  canHaveFills: (record: T) => boolean,
  limits: LinkLimits,
): Promise<FoundPage<T & { readonly fillIds: readonly string[] }>> {
  return withLinks(page, canHaveFills, limits, {
    read(records, most) {
      const { epoch, horizon } = limits.through;
      const times = timestamptzArray(records.map((record) => record.acceptedMicros));
      const values = [times, textArray(records.map((record) => record.eventId)), epoch, horizon];
      return read<LinkRow>(pool, { text: fillsOfActions, values: [...values, limits.ofOneMax, most] });
    },
    add: (record, fillIds) => Object.assign(record, { fillIds }), // The page is ours, and may be long.
  });
}

const actionsOfFills = `
  with asked as (
    select fill_id, nth from unnest($1::text[]) with ordinality as k (fill_id, nth)
  ), name as (
    select nth, fill_id from asked
    union all
    select a.nth, n.made_fill_id from asked a join ledger.fill_alias n on n.fill_id = a.fill_id
    where (n.epoch, n.xid) < ($2::int, $3::text::xid8)
  )
  select k.nth::int as nth, l.event_id as id
  from (select nth, array_agg(fill_id) as names from name group by nth) as k
  cross join lateral (
    select * from (
      select event_id, epoch, xid, ord from ledger.fill_link
      where fill_id = any (k.names) and (epoch, xid) < ($2::int, $3::text::xid8)
      offset 0
    ) as found order by epoch, xid, ord limit $4::bigint
  ) as l
  order by k.nth, l.epoch, l.xid, l.ord limit $5::bigint`;

/** The page's execution reports with the actions that their fills are linked to. */
export function withActions<T extends { readonly fillId: string }>(
  pool: pg.Pool,
  page: FoundPage<T>,
  canHaveActions: (record: T) => boolean,
  limits: LinkLimits,
): Promise<FoundPage<T & { readonly linkedEventIds: readonly string[] }>> {
  return withLinks(page, canHaveActions, limits, {
    read(records, most) {
      const { epoch, horizon } = limits.through;
      const values = [textArray(records.map((record) => record.fillId)), epoch, horizon];
      return read<LinkRow>(pool, { text: actionsOfFills, values: [...values, limits.ofOneMax, most] });
    },
    add: (record, linkedEventIds) => ({ ...record, linkedEventIds }),
  });
}

/** One query a page, and none where nothing can be linked. The page is cut where its links get too many. */
async function withLinks<T, Linked>(
  page: FoundPage<T>,
  canBeLinked: (record: T) => boolean,
  limits: LinkLimits,
  links: {
    readonly read: (records: readonly T[], most: number | null) => Promise<readonly LinkRow[]>;
    readonly add: (record: T, ids: readonly string[]) => Linked;
  },
): Promise<FoundPage<Linked>> {
  const asked = page.records.filter(canBeLinked);
  if (asked.length === 0) return { records: page.records.map((it) => links.add(it, [])), more: page.more };
  let rows = await links.read(asked, linksAtATime);
  let whole = asked.length;
  if (rows.length === linksAtATime) {
    // Of the last record there may be more.
    whole = (rows.at(-1)?.nth ?? 1) - 1;
    if (whole === 0) {
      rows = await links.read(asked.slice(0, 1), null);
      whole = 1;
    }
  }
  const idsOf = Map.groupBy(rows, (row) => row.nth);
  const records: Linked[] = [];
  let nth = 0;
  let bytes = 0;
  for (const record of page.records) {
    let ids: readonly string[] = [];
    if (canBeLinked(record)) {
      if (nth === whole || bytes >= limits.maxBytes) return { records, more: true };
      nth++;
      // A fill that is linked under both its names is one.
      ids = [...new Set(idsOf.get(nth)?.map((row) => row.id))];
      for (const id of ids) bytes += id.length;
    }
    records.push(links.add(record, ids));
  }
  return { records, more: page.more };
}
