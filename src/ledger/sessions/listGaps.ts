import type {
  ListSessionGapsRequest,
  ListSessionGapsResponse,
  NumberRange as WireRange,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { textOfFilters } from "../../log/filters.ts";
import { createTokens } from "../../log/token.ts";
import { optionalText, pageSize } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import { timestampOfMicros } from "../../time.ts";
import { idMaxBytes } from "../action.ts";
import type { LedgerDependencies } from "../dependencies.ts";
import type { NumberRange } from "./numberRanges.ts";
import { type GappedSession, readGaps } from "./readGaps.ts";

const methodName = "UserActivityLedgerService/ListSessionGaps";

/** The last session of a page. */
type After = { readonly sessionId: string };

function isAfter(value: unknown): value is After {
  return (
    typeof value === "object" && value !== null && "sessionId" in value && typeof value.sessionId === "string"
  );
}

/** ListSessionGaps: sessions in which numbered actions are missing now (R21). */
export function createGapList(dependencies: LedgerDependencies) {
  const tokens = createTokens<After>(dependencies.key, methodName, isAfter);

  return async (request: ListSessionGapsRequest, context: CallContext): Promise<ListSessionGapsResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const sessionId = optionalText("session_id", request.sessionId, idMaxBytes);
    const text = textOfFilters({ sessionId });
    const after = request.pageToken === "" ? null : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const asked = { sessionId, after: after?.sessionId ?? null, limit };
    const { sessions, more } = await readGaps(dependencies.pool, asked);
    const last = sessions.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListSessionGapsResponse",
      gaps: sessions.map(gapOf),
      nextPageToken: more && last !== undefined ? tokens.seal({ sessionId: last.sessionId }, text) : "",
    };
  };
}

function gapOf({ sessionId, missing, detectedMicros }: GappedSession) {
  return {
    $typeName: "polytraders.governance.v1.SessionGap",
    sessionId,
    missing: missing.map(wireRange),
    detectedAt: timestampOfMicros(detectedMicros),
    reasonCode: "ACTION_GAP_DETECTED",
  } as const;
}

export function wireRange({ first, last }: NumberRange): WireRange {
  return { $typeName: "polytraders.governance.v1.NumberRange", first, last };
}
