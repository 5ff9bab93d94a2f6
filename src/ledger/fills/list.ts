import type {
  ListFillsRequest,
  ListFillsResponse,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { textOfFilters } from "../../log/filters.ts";
import { listMaxBytes } from "../../log/pageQuery.ts";
import { isPlace, type Place } from "../../log/place.ts";
import { createTokens } from "../../log/token.ts";
import { pageSize } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { parseFillFilters } from "./filters.ts";
import { readFills } from "./read.ts";
import { fillEntry } from "./report.ts";

const methodName = "UserActivityLedgerService/ListFills";

/** ListFills: recorded execution reports, newest first. */
export function createFillList(dependencies: LedgerDependencies) {
  const tokens = createTokens<Place>(dependencies.key, methodName, isPlace);

  return async (request: ListFillsRequest, context: CallContext): Promise<ListFillsResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const filters = parseFillFilters(request);
    const text = textOfFilters(filters);
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const through = await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const page = { order: "newest", after, through, limit, maxBytes: listMaxBytes } as const;
    const { records, more } = await readFills(dependencies.pool, filters, page);
    const last = records.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListFillsResponse",
      fills: records.map(fillEntry),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
    };
  };
}
