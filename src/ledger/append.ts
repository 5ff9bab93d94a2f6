import type pg from "pg";
import { byteaArray, dateArray, int8Array, textArray, timestamptzArray } from "../db/binaryArrays.ts";
import type { Action } from "./action.ts";
import type { Replacements } from "./mentions.ts";

/** Where a producer's stream stands once its batch is recorded. */
export type Bookmark = {
  readonly streamId: string;
  readonly offset: bigint;
  /** The bookmark before it, which must be there for this one to count; null: whatever is there. */
  readonly follows: bigint | null;
};

/** An action on its way into the ledger. */
export type ActionRow = {
  readonly action: Action;
  readonly recordId: string;
  readonly acceptedMicros: number;
  /** Days since 1970-01-01. */
  readonly retainedUntil: number;
  /** The token's subject. */
  readonly recordedBy: string;
  readonly contentHash: Buffer;
  /** Wallets that its texts name beside its own, 40 lower case hexadecimal digits each. */
  readonly mentions: readonly string[];
  /** Wallets that its event id names, its own too. */
  readonly keyMentions: readonly string[];
  /** What stands for its wallet and for those it names, for the database to refuse closed ones. */
  readonly wallets: Replacements;
  /** What its event id was before a closed wallet in it was replaced. */
  readonly formerEventId: string | null;
  /** Of the closing of an account that is to be scrubbed: what will stand for its wallet. */
  readonly closing: string | null;
  /** Set on the last row of a producer's batch: the offset to remember in the same transaction. */
  readonly bookmark: Bookmark | undefined;
};

export type AppendOutcome =
  | { readonly kind: "recorded" }
  | { readonly kind: "duplicate"; readonly recordId: string; readonly acceptedMicros: number }
  | { readonly kind: "conflict"; readonly recordId: string };

const recorded: AppendOutcome = { kind: "recorded" };

const statement = {
  name: "ledger.append",
  text: `select index, same_content, first_record_id,
           (extract(epoch from first_accepted_at) * 1000000)::bigint::text as first_accepted_micros
         from ledger.append($1::text[], $2::bytea[], $3::text[], $4::timestamptz[], $5::date[], $6::text[],
           $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
           $14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
           $22::text[], $23::bigint[], $24::bigint[])`,
};

type Answer = {
  index: number;
  same_content: boolean;
  first_record_id: string;
  first_accepted_micros: string;
};

/** Records a batch in one statement, which is its own transaction (R9). */
export async function appendActions(
  client: pg.Client,
  rows: readonly ActionRow[],
): Promise<readonly AppendOutcome[]> {
  const bookmarks = rows.flatMap((row) =>
    row.bookmark ? [{ ...row.bookmark, subject: row.recordedBy }] : [],
  );
  const closings = rows.filter((row) => row.closing !== null);
  const values = [
    textArray(rows.map((row) => row.action.eventId)),
    byteaArray(rows.map((row) => row.contentHash)),
    textArray(rows.map((row) => row.recordId)),
    timestamptzArray(rows.map((row) => row.acceptedMicros)),
    dateArray(rows.map((row) => row.retainedUntil)),
    textArray(rows.map((row) => row.action.wallet)),
    textArray(rows.map((row) => row.action.sessionId)),
    textArray(rows.map((row) => row.action.actionType)),
    textArray(rows.map((row) => row.recordedBy)),
    textArray(rows.map((row) => row.action.traceId)),
    textArray(rows.map((row) => row.action.params?.text ?? null)),
    textArray(
      rows.map((row) => (row.action.inexact.length === 0 ? null : JSON.stringify(row.action.inexact))),
    ),
    int8Array(rows.map((row) => row.action.occurredAtNs)),
    int8Array(rows.map((row) => row.action.sessionSeq)),
    textArray(rows.map((row) => walletsColumn(row.mentions))),
    textArray(rows.map((row) => walletsColumn(row.keyMentions))),
    textArray(rows.map((row) => row.formerEventId)),
    textArray(closings.map((row) => row.recordId)),
    textArray(closings.map((row) => row.closing)),
    textArray(identitiesOf(rows)),
    textArray(bookmarks.map((bookmark) => bookmark.subject)),
    textArray(bookmarks.map((bookmark) => bookmark.streamId)),
    int8Array(bookmarks.map((bookmark) => bookmark.offset)),
    int8Array(bookmarks.map((bookmark) => bookmark.follows)),
  ];
  const answers = (await client.query<Answer>({ ...statement, values })).rows;
  const outcomes: AppendOutcome[] = new Array(rows.length).fill(recorded);
  for (const answer of answers) {
    outcomes[answer.index] = answer.same_content
      ? {
          kind: "duplicate",
          recordId: answer.first_record_id,
          acceptedMicros: Number(answer.first_accepted_micros),
        }
      : { kind: "conflict", recordId: answer.first_record_id };
  }
  return outcomes;
}

/** What stands for all wallets that the rows name, each once. */
export function identitiesOf(rows: readonly { readonly wallets: Replacements }[]): string[] {
  const all = new Set<string>();
  for (const { wallets } of rows) for (const identity of wallets.values()) all.add(identity);
  return [...all];
}

/** Wallets as the text of a column text[], null where there are none. */
export function walletsColumn(wallets: readonly string[]): string | null {
  return wallets.length === 0 ? null : `{${wallets.join(",")}}`;
}
