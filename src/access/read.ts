import type pg from "pg";
import { read } from "../db/read.ts";
import { type FoundPage, type Page, PageQuery } from "../log/pageQuery.ts";
import type { Place } from "../log/place.ts";
import type { AccessRow } from "./accessLog.ts";
import type { CallFilters } from "./filters.ts";

/** A call and its place among the calls; they have no position in the log, which is of records. */
export type CallAt = AccessRow & { readonly place: Place };

type Row = {
  epoch: number;
  xid: string;
  ord: number;
  at_micros: string;
  request_id: string;
  subject: string;
  roles: string;
  method: string;
  filters_json: string;
  outcome: string;
};

const columns = `c.epoch, c.xid::text as xid, c.ord, (extract(epoch from c.at) * 1000000)::bigint::text as at_micros,
  c.request_id, c.subject, c.roles, c.method, c.filters_json, c.outcome`;

/** One page of the calls whose rows were committed below the page's horizon. */
export async function readCalls(pool: pg.Pool, filters: CallFilters, page: Page): Promise<FoundPage<CallAt>> {
  const query = new PageQuery("c", page)
    .where(filters.subject, (subject) => `c.subject = ${subject}`)
    .where(filters.method, (method) => `c.method = ${method}`)
    .where(filters.outcome, (outcome) => `c.outcome = ${outcome}`)
    .acceptedBetween(filters.fromMicros, filters.toMicros, "at");
  const text = query.text({ columns, from: "access.read_log c", bytes: "octet_length(c.filters_json)" });
  const rows = await read<Row & { page_bytes: number }>(pool, { text, values: query.values });
  return query.page(rows, (row) => ({
    place: { epoch: row.epoch, position: 0, xid: row.xid, ord: row.ord },
    atMicros: Number(row.at_micros),
    requestId: row.request_id,
    subject: row.subject,
    roles: row.roles,
    method: row.method,
    filters: row.filters_json,
    outcome: row.outcome,
  }));
}
