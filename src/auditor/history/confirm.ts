import type pg from "pg";
import {
  type ConfirmWriteRequest,
  type ConfirmWriteResponse,
  Durability,
  WriteOutcome,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { textArray, timestamptzArray } from "../../db/binaryArrays.ts";
import type { CallContext } from "../../server/call.ts";
import { Failure, invalidField } from "../../server/failure.ts";
import type { AuditorDependencies } from "../dependencies.ts";
import { stored } from "./stored.ts";

/** What became of an allowed write, on its way into the audit log. */
export type ConfirmationRow = {
  readonly decisionId: string;
  readonly outcome: "APPLIED" | "ABORTED";
  /** The token's subject. */
  readonly confirmedBy: string;
  readonly confirmedMicros: number;
};

export type ConfirmationAnswer =
  | { readonly kind: "unknown" }
  /** The write was rejected: there is nothing to confirm. */
  | { readonly kind: "not_allowed" }
  /** The outcome on record, which is the first that came. */
  | { readonly kind: "confirmed"; readonly outcome: string };

/** Records a batch of outcomes in one statement, which is its own transaction. */
export async function appendConfirmations(
  client: pg.Client,
  rows: readonly ConfirmationRow[],
): Promise<readonly ConfirmationAnswer[]> {
  type Answer = { index: number; allowed: boolean | null; outcome: string | null };
  const answers = await client.query<Answer>({
    name: "auditor.confirm",
    text: `select index, allowed, outcome
           from auditor.confirm($1::text[], $2::text[], $3::text[], $4::timestamptz[]) order by index`,
    values: [
      textArray(rows.map((row) => row.decisionId)),
      textArray(rows.map((row) => row.outcome)),
      textArray(rows.map((row) => row.confirmedBy)),
      timestamptzArray(rows.map((row) => row.confirmedMicros)),
    ],
  });
  return answers.rows.map(({ allowed, outcome }) => {
    if (allowed === null) return { kind: "unknown" };
    return outcome === null ? { kind: "not_allowed" } : { kind: "confirmed", outcome };
  });
}

/** Whoever asked has half a second at most, as for the verdict (spec 002 §21). */
const recordWithinMs = 400;

/** Whether the text can be a decision's id. */
export function isDecisionId(text: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);
}

/**
 * ConfirmWrite: what became of an allowed write (R17). The first outcome stands, whoever confirms. Throws
 * NOT_FOUND, STORE_UNAVAILABLE, and INVALID_FIELD for a write that was rejected.
 */
export function createConfirmWrite(dependencies: AuditorDependencies) {
  return async (request: ConfirmWriteRequest, context: CallContext): Promise<ConfirmWriteResponse> => {
    const { decisionId } = request;
    if (!isDecisionId(decisionId)) {
      throw invalidField("decision_id", "must be the decision_id that CheckWrite answered, 26 characters");
    }
    const row = {
      decisionId,
      outcome: outcomeOf(request.outcome),
      confirmedBy: context.caller.subject,
      confirmedMicros: dependencies.clock.nowMicros(),
    };
    const [answer] = await stored(dependencies.confirmations.append(decisionId, [row]), recordWithinMs);
    switch (answer?.kind) {
      case "buffered":
        return {
          $typeName: "polytraders.governance.v1.ConfirmWriteResponse",
          outcome: request.outcome,
          durability: Durability.BUFFERED,
        };
      case "not_allowed":
        throw invalidField(
          "decision_id",
          "is of a write that was rejected; one that went through all the same is sent to RecordUngatedWrite",
        );
      case "confirmed":
        dependencies.sequencer.nudge();
        return {
          $typeName: "polytraders.governance.v1.ConfirmWriteResponse",
          outcome: answer.outcome === "APPLIED" ? WriteOutcome.APPLIED : WriteOutcome.ABORTED,
          durability: Durability.DURABLE,
        };
      default:
        // Another replica may have acknowledged the decision and not delivered it yet.
        if ((await dependencies.replicas.holding()).length > 0) {
          const text = `decision_id ${decisionId} is not on record yet; send the same again`;
          throw new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000 });
        }
        throw new Failure(
          "NOT_FOUND",
          `decision_id ${decisionId} is not on record; if CheckWrite answered NOT_RECORDED, send the write to RecordUngatedWrite`,
        );
    }
  };
}

function outcomeOf(outcome: WriteOutcome): ConfirmationRow["outcome"] {
  if (outcome === WriteOutcome.APPLIED) return "APPLIED";
  if (outcome === WriteOutcome.ABORTED) return "ABORTED";
  throw invalidField("outcome", "must be WRITE_OUTCOME_APPLIED or WRITE_OUTCOME_ABORTED");
}
