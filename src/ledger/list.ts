import type {
  ListUserActionsRequest,
  ListUserActionsResponse,
  UserActionEntry,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { textOfFilters } from "../log/filters.ts";
import { listMaxBytes } from "../log/pageQuery.ts";
import { isPlace, type Place } from "../log/place.ts";
import { createTokens } from "../log/token.ts";
import { pageSize } from "../server/bounds.ts";
import type { CallContext } from "../server/call.ts";
import { Failure } from "../server/failure.ts";
import { timestampOfMicros } from "../time.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { parseFilters } from "./filters.ts";
import { type ActionAt, type ActionFilters, readActions } from "./read.ts";
import { settlementReport } from "./report.ts";
import { summaryOf } from "./summary.ts";

const methodName = "UserActivityLedgerService/ListUserActions";

/** ListUserActions: users read summaries of their own wallet, compliance reads all (R12). */
export function createActionList(dependencies: LedgerDependencies) {
  const tokens = createTokens<Place>(dependencies.key, methodName, isPlace);

  /** The filters as the caller may use them: a user's wallet comes from the token, never from the request. */
  async function permitted(request: ListUserActionsRequest, context: CallContext): Promise<ActionFilters> {
    const filters = parseFilters(request);
    if (context.caller.roles.has("compliance")) return filters;
    const refuse = async (reason: "NOT_PUBLISHED" | "WALLET_NOT_ALLOWED", text: string) => {
      await dependencies.accessLog.refused(context, methodName, textOfFilters(filters), reason);
      return new Failure(reason, text);
    };
    if (!dependencies.settings().publishToUser) {
      throw await refuse("NOT_PUBLISHED", "activity is not published to users here");
    }
    const own = context.caller.wallet?.toLowerCase();
    if (own === undefined || !/^0x[0-9a-f]{40}$/.test(own)) {
      throw await refuse("WALLET_NOT_ALLOWED", "the token names no wallet whose activity could be read");
    }
    if (filters.wallet !== null && filters.wallet !== own) {
      throw await refuse("WALLET_NOT_ALLOWED", "users read the activity of their own wallet only");
    }
    return { ...filters, wallet: own };
  }

  return async (request: ListUserActionsRequest, context: CallContext): Promise<ListUserActionsResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const filters = await permitted(request, context);
    const text = textOfFilters(filters);
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const through = await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const page = { order: "newest", after, through, limit, maxBytes: listMaxBytes } as const;
    const { records, more } = await readActions(dependencies.pool, filters, page);
    const last = records.at(-1);
    const whole = context.caller.roles.has("compliance");
    return {
      $typeName: "polytraders.governance.v1.ListUserActionsResponse",
      actions: records.map((action) => entryOf(dependencies.retention.extended(action), whole)),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
    };
  };
}

/** An action as a reader may see it; `whole` with its report (R12). */
export function entryOf(action: ActionAt, whole: boolean): UserActionEntry {
  return {
    $typeName: "polytraders.governance.v1.UserActionEntry",
    recordedAt: timestampOfMicros(action.acceptedMicros),
    actionType: action.actionType,
    summary: summaryOf(action.actionType),
    ...(whole ? { report: settlementReport(action) } : {}),
  };
}
