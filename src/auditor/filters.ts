import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Verdict } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { optionalText, optionalTimeMicros, timeRange } from "../server/bounds.ts";
import { invalidField } from "../server/failure.ts";
import type { DecisionFilters } from "./read.ts";
import { isTier, nameKey } from "./tiers.ts";
import { botSlugMaxBytes, editorMaxBytes, paramNameMaxBytes, ticketMaxBytes } from "./write.ts";

/** The filters that listing and exporting share, every one inside its bound. */
export function parseFilters(request: {
  botSlug: string;
  paramName: string;
  editorId: string;
  paramTier: string;
  verdict: Verdict;
  ticketRef: string;
  fromTime?: Timestamp | undefined;
  toTime?: Timestamp | undefined;
}): DecisionFilters {
  const botSlug = optionalText("bot_slug", request.botSlug, botSlugMaxBytes);
  const paramName = optionalText("param_name", request.paramName, paramNameMaxBytes);
  if (request.paramTier !== "" && !isTier(request.paramTier)) {
    throw invalidField("param_tier", "must be P0, P1, P2 or P3");
  }
  const fromMicros = optionalTimeMicros("from_time", request.fromTime);
  const toMicros = optionalTimeMicros("to_time", request.toTime);
  timeRange(fromMicros, toMicros);
  return {
    botKey: botSlug === null ? null : nameKey(botSlug),
    paramKey: paramName === null ? null : nameKey(paramName),
    editorId: optionalText("editor_id", request.editorId, editorMaxBytes),
    tier: request.paramTier === "" ? null : request.paramTier,
    verdict: verdictOf(request.verdict),
    ticketRef: optionalText("ticket_ref", request.ticketRef, ticketMaxBytes),
    fromMicros,
    toMicros,
  };
}

/** As parseFilters, with what a list alone can ask for. */
export function parseListFilters(
  request: Parameters<typeof parseFilters>[0] & { unconfirmed: boolean; ungated: boolean },
): DecisionFilters {
  return {
    ...parseFilters(request),
    ...(request.unconfirmed ? { unconfirmed: true } : {}),
    ...(request.ungated ? { ungated: true } : {}),
  };
}

function verdictOf(verdict: Verdict): "ALLOW" | "REJECT" | null {
  switch (verdict) {
    case Verdict.UNSPECIFIED:
      return null;
    case Verdict.ALLOW:
      return "ALLOW";
    case Verdict.REJECT:
      return "REJECT";
    default:
      throw invalidField("verdict", "must be VERDICT_ALLOW or VERDICT_REJECT, or absent for both");
  }
}
