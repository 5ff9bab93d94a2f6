import type pg from "pg";
import type {
  BreakGlassReview,
  ReviewBreakGlassRequest,
  ReviewBreakGlassResponse,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { read } from "../../db/read.ts";
import { requiredText } from "../../server/bounds.ts";
import type { CallContext } from "../../server/call.ts";
import { Failure, invalidField } from "../../server/failure.ts";
import { timestampOfMicros } from "../../time.ts";
import type { AuditorDependencies } from "../dependencies.ts";
import { isDecisionId } from "../history/confirm.ts";

const commentMaxBytes = 1000;

type Row = { decision_id: string; reviewed_by: string; reviewed_micros: string; comment: string };

const columns = `decision_id, reviewed_by,
  (extract(epoch from reviewed_at) * 1000000)::bigint::text as reviewed_micros, comment`;

/**
 * ReviewBreakGlass: somebody else's look at a use of break-glass. The first review stands. Throws NOT_FOUND,
 * STORE_UNAVAILABLE, and INVALID_FIELD for one's own.
 */
export function createBreakGlassReview({ pool, clock, sequencer }: AuditorDependencies) {
  return async (
    request: ReviewBreakGlassRequest,
    context: CallContext,
  ): Promise<ReviewBreakGlassResponse> => {
    const { decisionId } = request;
    if (!isDecisionId(decisionId)) {
      throw invalidField("decision_id", "must be the decision_id that ListBreakGlass shows, 26 characters");
    }
    const comment = requiredText("comment", request.comment, commentMaxBytes);
    const { subject } = context.caller;
    const [use] = await read<{ own: boolean }>(pool, {
      text: `select recorded_by = $2 or editor_id = $2 as own from auditor.parameter_change
             where record_id = $1 and break_glass_reason is not null`,
      values: [decisionId, subject],
    });
    if (use === undefined)
      throw new Failure("NOT_FOUND", `decision_id ${decisionId} is no use of break-glass on record`);
    if (use.own) throw invalidField("decision_id", "is of your own write; somebody else has to review it");
    await read(pool, {
      text: `insert into auditor.break_glass_review (decision_id, reviewed_by, reviewed_at, comment)
             values ($1, $2, timestamptz 'epoch' + $3::bigint * interval '1 microsecond', $4)
             on conflict do nothing`,
      values: [decisionId, subject, clock.nowMicros(), comment],
    });
    sequencer.nudge();
    const review = (await readReviews(pool, [decisionId])).get(decisionId);
    return {
      $typeName: "polytraders.governance.v1.ReviewBreakGlassResponse",
      ...(review === undefined ? {} : { review }),
    };
  };
}

/** The reviews of these decisions, by decision. */
export async function readReviews(
  pool: pg.Pool,
  decisionIds: readonly string[],
): Promise<ReadonlyMap<string, BreakGlassReview>> {
  const rows = await read<Row>(pool, {
    text: `select ${columns} from auditor.break_glass_review where decision_id = any ($1::text[])`,
    values: [decisionIds],
  });
  return new Map(rows.map((row) => [row.decision_id, reviewOf(row)]));
}

function reviewOf(row: Row): BreakGlassReview {
  return {
    $typeName: "polytraders.governance.v1.BreakGlassReview",
    reviewedBy: row.reviewed_by,
    reviewedAt: timestampOfMicros(Number(row.reviewed_micros)),
    comment: row.comment,
  };
}
