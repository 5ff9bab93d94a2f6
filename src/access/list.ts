import type {
  AccessLogEntry,
  ListAccessLogRequest,
  ListAccessLogResponse,
} from "../../gen/ts/polytraders/governance/v1/access_log_pb.ts";
import { textOfFilters } from "../log/filters.ts";
import { listMaxBytes } from "../log/pageQuery.ts";
import { isPlace, type Place } from "../log/place.ts";
import { createTokens } from "../log/token.ts";
import { pageSize } from "../server/bounds.ts";
import type { CallContext } from "../server/call.ts";
import { timestampOfMicros } from "../time.ts";
import type { AccessDependencies } from "./dependencies.ts";
import { parseFilters } from "./filters.ts";
import { type CallAt, readCalls } from "./read.ts";

const methodName = "AccessLogService/ListAccessLog";

/** ListAccessLog: who read what, newest first; the call itself is in it. */
export function createCallList(dependencies: AccessDependencies) {
  const tokens = createTokens<Place>(dependencies.key, methodName, isPlace);

  return async (request: ListAccessLogRequest, context: CallContext): Promise<ListAccessLogResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const filters = parseFilters(request);
    const text = textOfFilters(filters);
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const through = await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const page = { order: "newest", after, through, limit, maxBytes: listMaxBytes } as const;
    const { records, more } = await readCalls(dependencies.pool, filters, page);
    const last = records.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListAccessLogResponse",
      calls: records.map(entryOf),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
    };
  };
}

function entryOf(call: CallAt): AccessLogEntry {
  return {
    $typeName: "polytraders.governance.v1.AccessLogEntry",
    at: timestampOfMicros(call.atMicros),
    subject: call.subject,
    roles: rolesOf(call),
    method: call.method,
    filtersJson: call.filters,
    outcome: call.outcome,
    requestId: call.requestId,
  };
}

/** A token's roles; none where it had none. */
export function rolesOf({ roles }: { readonly roles: string }): string[] {
  return roles === "" ? [] : roles.split(" ");
}
