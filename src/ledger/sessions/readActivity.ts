import type pg from "pg";
import type { SessionEntry } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { FoundPage, Page } from "../../log/pageQuery.ts";
import type { Place } from "../../log/place.ts";
import { readSessionFills } from "../fills/read.ts";
import { fillEntry } from "../fills/report.ts";
import { entryOf } from "../list.ts";
import { readActions } from "../read.ts";
import type { LedgerRetention } from "../retention.ts";
import { mergePages } from "./mergePages.ts";

/** Something that happened in a session, and its place in the log. */
export type ActivityAt = { readonly entry: SessionEntry["entry"]; readonly place: Place };

/** One page of a session's actions and their fills, in log order. */
export async function readActivity(
  { pool, retention }: { readonly pool: pg.Pool; readonly retention: LedgerRetention },
  sessionId: string,
  page: Page,
): Promise<FoundPage<ActivityAt>> {
  const pages = await Promise.all([
    actionsOf(pool, retention, sessionId, page),
    fillsOf(pool, sessionId, page),
  ]);
  return mergePages(pages, page.limit);
}

async function actionsOf(
  pool: pg.Pool,
  retention: LedgerRetention,
  sessionId: string,
  page: Page,
): Promise<FoundPage<ActivityAt>> {
  const filters = {
    sessionId,
    wallet: null,
    traceId: null,
    actionType: null,
    fromMicros: null,
    toMicros: null,
  };
  const { records, more } = await readActions(pool, filters, page);
  return {
    records: records.map((action) => ({
      entry: { case: "action", value: entryOf(retention.extended(action), true) },
      place: action.place,
    })),
    more,
  };
}

async function fillsOf(pool: pg.Pool, sessionId: string, page: Page): Promise<FoundPage<ActivityAt>> {
  const { records, more } = await readSessionFills(pool, sessionId, page);
  return {
    records: records.map((fill) => ({ entry: { case: "fill", value: fillEntry(fill) }, place: fill.place })),
    more,
  };
}
