import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { optionalText, optionalTimeMicros, timeRange } from "../server/bounds.ts";
import { idMaxBytes, requiredActionType } from "./action.ts";
import { walletOrIdentity } from "./identity.ts";
import type { ActionFilters } from "./read.ts";

/** The filters that listing and exporting share, every one inside its bound. */
export function parseFilters(request: {
  wallet: string;
  sessionId: string;
  traceId: string;
  actionType: string;
  fromTime?: Timestamp | undefined;
  toTime?: Timestamp | undefined;
}): ActionFilters {
  const fromMicros = optionalTimeMicros("from_time", request.fromTime);
  const toMicros = optionalTimeMicros("to_time", request.toTime);
  timeRange(fromMicros, toMicros);
  return {
    wallet: request.wallet === "" ? null : walletOrIdentity("wallet", request.wallet),
    sessionId: optionalText("session_id", request.sessionId, idMaxBytes),
    traceId: optionalText("trace_id", request.traceId, idMaxBytes),
    actionType: request.actionType === "" ? null : requiredActionType("action_type", request.actionType),
    fromMicros,
    toMicros,
  };
}
