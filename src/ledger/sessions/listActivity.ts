import type {
  ListSessionActivityRequest,
  ListSessionActivityResponse,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { textOfFilters } from "../../log/filters.ts";
import { listMaxBytes } from "../../log/pageQuery.ts";
import { isPlace, type Place } from "../../log/place.ts";
import { createTokens } from "../../log/token.ts";
import { pageSize, requiredText } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import { idMaxBytes } from "../action.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import { wireRange } from "./listGaps.ts";
import { readActivity } from "./readActivity.ts";
import { missingOf } from "./readGaps.ts";

const methodName = "UserActivityLedgerService/ListSessionActivity";

/** ListSessionActivity: one session from its beginning, its actions and their fills in log order. */
export function createActivityList(dependencies: LedgerDependencies) {
  const tokens = createTokens<Place>(dependencies.key, methodName, isPlace);

  return async (
    request: ListSessionActivityRequest,
    context: CallContext,
  ): Promise<ListSessionActivityResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const sessionId = requiredText("session_id", request.sessionId, idMaxBytes);
    const text = textOfFilters({ sessionId });
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const through = await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const page = { order: "oldest", after, through, limit, maxBytes: listMaxBytes } as const;
    const [{ records, more }, missing] = await Promise.all([
      readActivity(dependencies, sessionId, page),
      missingOf(dependencies.pool, sessionId),
    ]);
    const last = records.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListSessionActivityResponse",
      entries: records.map(({ entry }) => ({ $typeName: "polytraders.governance.v1.SessionEntry", entry })),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
      missingSessionSeq: missing.map(wireRange),
    };
  };
}
