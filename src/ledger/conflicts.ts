import type pg from "pg";
import type {
  EventConflict,
  ListEventConflictsRequest,
  ListEventConflictsResponse,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { read } from "../db/read.ts";
import { exactToStruct } from "../exact/value.ts";
import { textOfFilters } from "../log/filters.ts";
import { type FoundPage, listMaxBytes, type Page, PageQuery } from "../log/pageQuery.ts";
import { isPlace, type Place } from "../log/place.ts";
import { createTokens } from "../log/token.ts";
import { optionalText, optionalTimeMicros, pageSize, timeRange } from "../server/bounds.ts";
import type { CallContext } from "../server/call.ts";
import { timestampOfMicros, timestampOfNanos } from "../time.ts";
import { idMaxBytes } from "./action.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { reportId } from "./report.ts";

const methodName = "UserActivityLedgerService/ListEventConflicts";

/** ListEventConflicts: content that was refused because its event_id was taken (R9), newest first. */
export function createConflictList(dependencies: LedgerDependencies) {
  const tokens = createTokens<Place>(dependencies.key, methodName, isPlace);

  return async (
    request: ListEventConflictsRequest,
    context: CallContext,
  ): Promise<ListEventConflictsResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const filters = parseFilters(request);
    const text = textOfFilters(filters);
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const through = await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const page = { order: "newest", after, through, limit, maxBytes: listMaxBytes } as const;
    const { records, more } = await readConflicts(dependencies.pool, filters, page);
    const last = records.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListEventConflictsResponse",
      conflicts: records.map(({ conflict }) => conflict),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
    };
  };
}

type ConflictFilters = {
  readonly eventId: string | null;
  readonly fromMicros: bigint | null;
  readonly toMicros: bigint | null;
};

function parseFilters(request: ListEventConflictsRequest): ConflictFilters {
  const fromMicros = optionalTimeMicros("from_time", request.fromTime);
  const toMicros = optionalTimeMicros("to_time", request.toTime);
  timeRange(fromMicros, toMicros);
  return { eventId: optionalText("event_id", request.eventId, idMaxBytes), fromMicros, toMicros };
}

type Row = {
  epoch: number;
  xid: string;
  ord: number;
  event_id: string;
  first_record_id: string;
  accepted_micros: string;
  wallet: string;
  session_id: string;
  action_type: string;
  recorded_by: string;
  trace_id: string | null;
  params_json: string | null;
  occurred_at_ns: string | null;
  session_seq: string | null;
};

const columns = `c.epoch, c.xid::text as xid, c.ord, c.event_id, c.first_record_id,
  (extract(epoch from c.accepted_at) * 1000000)::bigint::text as accepted_micros, c.wallet, c.session_id,
  c.action_type, c.recorded_by, c.trace_id, c.params_json, c.occurred_at_ns::text as occurred_at_ns,
  c.session_seq::text as session_seq`;

/** A conflict and its place among them; conflicts have no position in the log, which is of records. */
type ConflictAt = { readonly conflict: EventConflict; readonly place: Place };

async function readConflicts(
  pool: pg.Pool,
  filters: ConflictFilters,
  page: Page,
): Promise<FoundPage<ConflictAt>> {
  const query = new PageQuery("c", page)
    .where(filters.eventId, (eventId) => `c.event_id = ${eventId}`)
    .acceptedBetween(filters.fromMicros, filters.toMicros);
  const bytes = "coalesce(octet_length(c.params_json), 0)";
  const text = query.text({ columns, from: "ledger.conflict c", bytes });
  const rows = await read<Row & { page_bytes: number }>(pool, { text, values: query.values });
  return query.page(rows, conflictOf);
}

function conflictOf(row: Row): ConflictAt {
  const params = row.params_json === null ? undefined : exactToStruct(row.params_json);
  const conflict: EventConflict = {
    $typeName: "polytraders.governance.v1.EventConflict",
    eventId: row.event_id,
    recordedReportId: reportId(row.first_record_id),
    refusedAt: timestampOfMicros(Number(row.accepted_micros)),
    refused: {
      $typeName: "polytraders.governance.v1.UserAction",
      eventId: row.event_id,
      wallet: row.wallet,
      sessionId: row.session_id,
      actionType: row.action_type,
      ...(params === undefined ? {} : { params }),
      traceId: row.trace_id ?? "",
      ...(row.params_json === null ? {} : { paramsJson: row.params_json }),
      ...(row.occurred_at_ns === null ? {} : { occurredAt: timestampOfNanos(BigInt(row.occurred_at_ns)) }),
      sessionSeq: BigInt(row.session_seq ?? 0),
    },
    refusedFrom: row.recorded_by,
  };
  return { conflict, place: { epoch: row.epoch, position: 0, xid: row.xid, ord: row.ord } };
}
