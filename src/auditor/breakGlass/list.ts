import type {
  ListBreakGlassRequest,
  ListBreakGlassResponse,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { textOfFilters } from "../../log/filters.ts";
import { listMaxBytes } from "../../log/pageQuery.ts";
import { isPlace, type Place } from "../../log/place.ts";
import { createTokens } from "../../log/token.ts";
import { pageSize } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import type { AuditorDependencies } from "../dependencies.ts";
import { changeOf } from "../list.ts";
import { noFilters, readDecisions } from "../read.ts";
import { readReviews } from "./review.ts";

const methodName = "ParameterChangeAuditorService/ListBreakGlass";

/** ListBreakGlass: the uses of break-glass, newest first; open until somebody else has reviewed them. */
export function createBreakGlassList(dependencies: AuditorDependencies) {
  const { pool, sequencer, limits, accessLog, key } = dependencies;
  const tokens = createTokens<Place>(key, methodName, isPlace);

  return async (request: ListBreakGlassRequest, context: CallContext): Promise<ListBreakGlassResponse> => {
    const limit = pageSize("page_size", request.pageSize);
    const which = request.reviewedToo ? "all" : "open";
    const text = textOfFilters({ which });
    const after = request.pageToken === "" ? undefined : tokens.open("page_token", request.pageToken, text);
    await accessLog.allowed(context, methodName, text);

    const through = await sequencer.catchUp(limits.listCatchUpMs);
    const page = { order: "newest", after, through, limit, maxBytes: listMaxBytes } as const;
    const { records, more } = await readDecisions(pool, { ...noFilters, breakGlass: which }, page);
    const reviews = await readReviews(
      pool,
      records.map(({ recordId }) => recordId),
    );
    const last = records.at(-1);
    return {
      $typeName: "polytraders.governance.v1.ListBreakGlassResponse",
      uses: records.map((decision) => {
        const review = reviews.get(decision.recordId);
        return {
          $typeName: "polytraders.governance.v1.BreakGlassUse",
          change: changeOf(decision),
          ...(review === undefined ? {} : { review }),
        };
      }),
      nextPageToken: more && last !== undefined ? tokens.seal(last.place, text) : "",
    };
  };
}
