import type pg from "pg";
import { read } from "../db/read.ts";
import { pointersOf } from "../exact/pointers.ts";
import { type FoundPage, type Page, PageQuery } from "../log/pageQuery.ts";
import type { Place } from "../log/place.ts";
import type { RecordedDecision } from "./report.ts";

/** Which decisions a reader asks for; null does not restrict. Names as they compare (R24). */
export type DecisionFilters = {
  readonly botKey: string | null;
  readonly paramKey: string | null;
  readonly editorId: string | null;
  readonly tier: string | null;
  readonly verdict: string | null;
  readonly ticketRef: string | null;
  /** Accepted at or after, microseconds. */
  readonly fromMicros: bigint | null;
  /** Accepted before, microseconds. */
  readonly toMicros: bigint | null;
  /** Only writes that were allowed, and of which nobody said what became of them. */
  readonly unconfirmed?: true;
  /** Only writes that went through without a verdict. */
  readonly ungated?: true;
  /** Only break-glass: what nobody has reviewed, or all of it. */
  readonly breakGlass?: "open" | "all";
};

/** Asks for every decision. */
export const noFilters: DecisionFilters = {
  botKey: null,
  paramKey: null,
  editorId: null,
  tier: null,
  verdict: null,
  ticketRef: null,
  fromMicros: null,
  toMicros: null,
};

export type DecisionAt = RecordedDecision & { readonly place: Place };

type Row = {
  epoch: number;
  xid: string;
  ord: number;
  position: string | null;
  record_id: string;
  accepted_micros: string;
  bot_slug: string;
  param_name: string;
  old_value_json: string | null;
  new_value_json: string | null;
  inexact_json: string | null;
  masked_json: string | null;
  stale_against: string | null;
  editor_id: string;
  ticket_ref: string | null;
  environment: string | null;
  write_id: string | null;
  trace_id: string | null;
  changed_at_ns: string | null;
  recorded_by: string;
  allowed: boolean;
  automated: boolean;
  verdict: string;
  mode: string;
  param_tier: string;
  ticket_status: string;
  reason_code: string;
  cause: string | null;
  break_glass_reason: string | null;
  policy_version: string;
};

/**
 * Asked for each row by the log's index, as a join would read the whole log for every page. Below the
 * horizon each record has its position; a record read by its id may not have one yet.
 */
const position = `select e.position from log.entry e
  where e.epoch = c.epoch and e.xid = c.xid and e.ord = c.ord and e.source = 'c'`;

const columns = `c.epoch, c.xid::text as xid, c.ord, (${position})::text as position, c.record_id,
  (extract(epoch from c.accepted_at) * 1000000)::bigint::text as accepted_micros, c.bot_slug, c.param_name,
  c.old_value_json, c.new_value_json, c.inexact_json, c.editor_id, c.ticket_ref, c.environment, c.write_id,
  c.trace_id, c.changed_at_ns::text as changed_at_ns, c.recorded_by, c.allowed, c.verdict, c.mode, c.param_tier,
  c.ticket_status, c.reason_code, c.cause, c.policy_version, c.automated,
  c.masked_json, c.stale_against, c.break_glass_reason`;

/** The record that a subject's write_id led to, placed or not. */
export async function readDecision(
  pool: pg.Pool,
  subject: string,
  writeId: string,
  recordId: string,
): Promise<DecisionAt | undefined> {
  const rows = await read<Row>(pool, {
    name: "auditor.readDecision",
    text: `select ${columns}
           from auditor.write_key k
           join auditor.parameter_change c on c.accepted_at = k.accepted_at and c.record_id = k.record_id
           where k.subject = $1 and k.write_id = $2 and k.record_id = $3`,
    values: [subject, writeId, recordId],
  });
  return rows.map(decisionOf)[0];
}

/** An ungated write was made before it was recorded: it needs nobody to say so. */
const isUnconfirmed = `c.allowed and c.reason_code <> 'UNGATED_WRITE' and not exists (
  select from auditor.confirmation w where w.decided_at = c.accepted_at and w.decision_id = c.record_id)`;

/** One page of the decisions that have their place in the log. */
export async function readDecisions(
  pool: pg.Pool,
  filters: DecisionFilters,
  page: Page,
): Promise<FoundPage<DecisionAt>> {
  const query = new PageQuery("c", page)
    .where(filters.botKey, (botKey) => `c.bot_key = ${botKey}`)
    .where(filters.paramKey, (paramKey) => `c.param_key = ${paramKey}`)
    .where(filters.editorId, (editorId) => `c.editor_id = ${editorId}`)
    .where(filters.tier, (tier) => `c.param_tier = ${tier}`)
    .where(filters.verdict, (verdict) => `c.verdict = ${verdict}`)
    .where(filters.ticketRef, (ticketRef) => `c.ticket_ref = ${ticketRef}`)
    .acceptedBetween(filters.fromMicros, filters.toMicros);
  if (filters.unconfirmed) query.also(isUnconfirmed);
  if (filters.ungated) query.also("c.reason_code = 'UNGATED_WRITE'");
  if (filters.breakGlass !== undefined) query.also("c.break_glass_reason is not null");
  if (filters.breakGlass === "open") {
    query.also("not exists (select from auditor.break_glass_review r where r.decision_id = c.record_id)");
  }
  const text = query.text({
    columns,
    from: "auditor.parameter_change c",
    bytes: "coalesce(octet_length(c.old_value_json), 0) + coalesce(octet_length(c.new_value_json), 0)",
  });
  const rows = await read<Row & { page_bytes: number }>(pool, { text, values: query.values });
  return query.page(rows, decisionOf);
}

function decisionOf(row: Row): DecisionAt {
  const position = Number(row.position ?? 0);
  return {
    place: { epoch: row.epoch, position, xid: row.xid, ord: row.ord },
    epoch: position === 0 ? 0 : row.epoch,
    position,
    recordId: row.record_id,
    acceptedMicros: Number(row.accepted_micros),
    botSlug: row.bot_slug,
    paramName: row.param_name,
    oldText: row.old_value_json,
    newText: row.new_value_json,
    inexact: pointersOf(row.inexact_json),
    maskedPaths: pointersOf(row.masked_json),
    staleAgainst: row.stale_against,
    editorId: row.editor_id,
    ticketRef: row.ticket_ref,
    environment: row.environment,
    writeId: row.write_id,
    traceId: row.trace_id,
    changedAtNs: row.changed_at_ns === null ? null : BigInt(row.changed_at_ns),
    recordedBy: row.recorded_by,
    allowed: row.allowed,
    verdict: row.verdict,
    mode: row.mode,
    automated: row.automated,
    tier: row.param_tier,
    ticketStatus: row.ticket_status,
    ticketProblem: null,
    reasonCode: row.reason_code,
    cause: row.cause,
    breakGlassReason: row.break_glass_reason,
    policyVersion: row.policy_version,
  };
}
