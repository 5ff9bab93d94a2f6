import type {
  ListParameterChangesRequest,
  ListParameterChangesResponse,
  ParameterChange,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { textOfFilters } from "../log/filters.ts";
import { listMaxBytes } from "../log/pageQuery.ts";
import { isPlace, type Place } from "../log/place.ts";
import { createTokens } from "../log/token.ts";
import { pageSize } from "../server/bounds.ts";
import type { CallContext } from "../server/call.ts";
import type { AuditorDependencies } from "./dependencies.ts";
import { parseListFilters } from "./filters.ts";
import { type DecisionAt, readDecisions } from "./read.ts";
import { diffOf, operationsReport, wireTicketStatus } from "./report.ts";

const methodName = "ParameterChangeAuditorService/ListParameterChanges";

/** ListParameterChanges: decisions, newest first. */
export function createDecisionList(dependencies: AuditorDependencies) {
  const tokens = createTokens<Place>(dependencies.key, methodName, isPlace);

  return async (
    request: ListParameterChangesRequest,
    context: CallContext,
  ): Promise<ListParameterChangesResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const filters = parseListFilters(request);
    const text = textOfFilters(filters);
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await dependencies.accessLog.allowed(context, methodName, text);

    const through = await dependencies.sequencer.catchUp(dependencies.limits.listCatchUpMs);
    const page = { order: "newest", after, through, limit, maxBytes: listMaxBytes } as const;
    const { records, more } = await readDecisions(dependencies.pool, filters, page);
    const last = records.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListParameterChangesResponse",
      changes: records.map(changeOf),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
    };
  };
}

/** A decision as a list shows it. */
export function changeOf(decision: DecisionAt): ParameterChange {
  return {
    $typeName: "polytraders.governance.v1.ParameterChange",
    allowed: decision.allowed,
    reasonCode: decision.reasonCode,
    ticketStatus: wireTicketStatus(decision.ticketStatus),
    policyVersion: decision.policyVersion,
    ...diffOf(decision),
    report: operationsReport(decision),
    writeId: decision.writeId ?? "",
    ungatedCause: decision.cause ?? "",
    automated: decision.automated,
    breakGlassReason: decision.breakGlassReason ?? "",
  };
}
