import { hash } from "node:crypto";
import type pg from "pg";
import { boolArray, byteaArray, int8Array, textArray, timestamptzArray } from "../db/binaryArrays.ts";
import type { ExactJson } from "../exact/json.ts";
import type { InvalidWhy } from "../tickets/facts.ts";
import type { Decision } from "./policy.ts";
import type { MaskedWrite } from "./secrets/masking.ts";

/** A decision on its way into the audit log. */
export type DecisionRow = {
  readonly write: MaskedWrite;
  readonly decision: Omit<Decision, "reasonCode"> & {
    readonly reasonCode: Decision["reasonCode"] | "UNGATED_WRITE";
  };
  readonly mode: "shadow_only" | "enforce";
  /** The policy names the token's subject as automation for the parameter (R16): nobody is paged for it. */
  readonly automated: boolean;
  readonly recordId: string;
  readonly acceptedMicros: number;
  /** The token's subject. */
  readonly recordedBy: string;
  readonly contentHash: Buffer;
  /** Why its ticket does not cover the write, where that is known. Told in the answer; not stored. */
  readonly ticketProblem?: InvalidWhy;
  /** Of a write that went through without a verdict (R6), and of no other. */
  readonly ungated?: {
    /** Why there was none, as its caller says. */
    readonly cause: string;
    /** The hash of the content without changed_at, for a decision that was asked for without one. */
    readonly claimlessHash: Buffer;
  };
};

export type DecisionOutcome =
  | {
      readonly kind: "recorded";
      /** The decision that let the parameter's last recorded value in, where old_value is not it. */
      readonly staleAgainst: string | null;
    }
  /** The write_id is on record with the same content: that decision stands. */
  | { readonly kind: "replayed"; readonly recordId: string }
  | { readonly kind: "conflict"; readonly recordId: string };

const recorded: DecisionOutcome = { kind: "recorded", staleAgainst: null };

const statement = {
  name: "auditor.append",
  text: `select index, same_content, first_record_id, stale_against
         from auditor.append($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
           $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
           $15::text[], $16::bigint[], $17::boolean[], $18::text[], $19::text[], $20::text[], $21::text[],
           $22::text[], $23::text[], $24::bytea[], $25::text[], $26::bytea[], $27::boolean[],
           $28::bytea[], $29::bytea[], $30::text[], $31::text[])`,
};

/** Records a batch of decisions in one statement, which is its own transaction (R10). */
export async function appendDecisions(
  client: pg.Client,
  rows: readonly DecisionRow[],
): Promise<readonly DecisionOutcome[]> {
  const texts = (pick: (row: DecisionRow) => string | null) => textArray(rows.map(pick));
  const values = [
    texts((row) => row.recordId),
    timestamptzArray(rows.map((row) => row.acceptedMicros)),
    texts((row) => row.write.botSlug),
    texts((row) => row.write.paramName),
    texts((row) => row.write.botKey),
    texts((row) => row.write.paramKey),
    texts((row) => row.write.oldValue?.text ?? null),
    texts((row) => row.write.newValue?.text ?? null),
    texts((row) => (row.write.inexact.length === 0 ? null : JSON.stringify(row.write.inexact))),
    texts((row) => row.write.editorId),
    texts((row) => row.recordedBy),
    texts((row) => row.write.ticketRef),
    texts((row) => row.write.environment),
    texts((row) => row.write.writeId),
    texts((row) => row.write.traceId),
    int8Array(rows.map((row) => row.write.changedAtNs)),
    boolArray(rows.map((row) => row.decision.allowed)),
    texts((row) => row.decision.verdict),
    texts((row) => row.mode),
    texts((row) => row.decision.tier),
    texts((row) => row.decision.ticketStatus),
    texts((row) => row.decision.reasonCode),
    texts((row) => row.decision.policyVersion),
    byteaArray(rows.map((row) => row.contentHash)),
    texts((row) => row.ungated?.cause ?? null),
    byteaArray(rows.map((row) => row.ungated?.claimlessHash ?? null)),
    boolArray(rows.map((row) => row.automated)),
    byteaArray(rows.map((row) => valueHash(row.write.oldValue))),
    byteaArray(rows.map((row) => valueHash(row.write.newValue))),
    texts((row) => (row.write.maskedPaths.length === 0 ? null : JSON.stringify(row.write.maskedPaths))),
    texts((row) => row.write.breakGlassReason),
  ];
  type Answer = {
    index: number;
    same_content: boolean | null;
    first_record_id: string;
    stale_against: string | null;
  };
  const answers = (await client.query<Answer>({ ...statement, values })).rows;
  const outcomes: DecisionOutcome[] = new Array(rows.length).fill(recorded);
  for (const answer of answers) {
    const { stale_against: staleAgainst } = answer;
    if (staleAgainst !== null) outcomes[answer.index] = { kind: "recorded", staleAgainst };
    else
      outcomes[answer.index] = answer.same_content
        ? { kind: "replayed", recordId: answer.first_record_id }
        : { kind: "conflict", recordId: answer.first_record_id };
  }
  return outcomes;
}

/** Tells whether two values are the same, however they are spelt; of no value there is none. */
function valueHash(value: ExactJson | null): Buffer | null {
  return value === null ? null : hash("sha256", value.canonical, "buffer").subarray(0, 16);
}
