import type pg from "pg";
import { byteaArray, dateArray, int8Array, textArray, timestamptzArray } from "../../db/binaryArrays.ts";
import { type Bookmark, identitiesOf, walletsColumn } from "../append.ts";
import type { Replacements } from "../mentions.ts";
import type { ExecutionReportContent } from "./executionReport.ts";

/** An execution report on its way into the ledger. */
export type FillRow = {
  readonly report: ExecutionReportContent;
  readonly recordId: string;
  readonly acceptedMicros: number;
  /** Days since 1970-01-01. */
  readonly retainedUntil: number;
  /** The token's subject. */
  readonly recordedBy: string;
  readonly contentHash: Buffer;
  /** Wallets that its texts name beside its own, 40 lower case hexadecimal digits each. */
  readonly mentions: readonly string[];
  /** Wallets that the fill's name names, its own too. */
  readonly keyMentions: readonly string[];
  /** What stands for its wallet and for those it names, for the database to refuse closed ones. */
  readonly wallets: Replacements;
  /** Set on the last row of a producer's batch: the offset to remember in the same transaction. */
  readonly bookmark: Bookmark | undefined;
};

/** The same report of the same fill again is a duplicate; any other one is a part of the fill's history. */
export type FillOutcome = { readonly kind: "recorded" } | { readonly kind: "duplicate" };

const recorded: FillOutcome = { kind: "recorded" };
const duplicate: FillOutcome = { kind: "duplicate" };

const text = `select index from ledger.append_fills($1::text[], $2::bytea[], $3::text[], $4::timestamptz[],
  $5::date[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
  $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
  $22::text[], $23::text[], $24::bigint[], $25::bigint[], $26::text[], $27::text[], $28::text[], $29::text[],
  $30::text[], $31::bigint[], $32::bigint[])`;

/** Records a batch in one statement, which is its own transaction. */
export async function appendFills(
  client: pg.Client,
  rows: readonly FillRow[],
): Promise<readonly FillOutcome[]> {
  const bookmarks = rows.flatMap((row) =>
    row.bookmark ? [{ ...row.bookmark, subject: row.recordedBy }] : [],
  );
  const ofReport = (value: (report: ExecutionReportContent) => string | null) =>
    textArray(rows.map((row) => value(row.report)));
  const values = [
    ofReport((report) => report.fillId),
    byteaArray(rows.map((row) => row.contentHash)),
    textArray(rows.map((row) => row.recordId)),
    timestamptzArray(rows.map((row) => row.acceptedMicros)),
    dateArray(rows.map((row) => row.retainedUntil)),
    ofReport((report) => report.sentFillId),
    ofReport((report) => report.madeFillId),
    ofReport((report) => report.tradeId),
    ofReport((report) => report.orderId),
    ofReport((report) => report.traceId),
    ofReport((report) => report.wallet),
    ofReport((report) => report.status),
    ofReport((report) => report.market),
    ofReport((report) => report.assetId),
    ofReport((report) => report.side),
    ofReport((report) => report.size),
    ofReport((report) => report.price),
    ofReport((report) => report.feeRateBps),
    ofReport((report) => report.outcome),
    ofReport((report) => report.traderSide),
    ofReport((report) => report.transactionHash),
    textArray(rows.map((row) => row.recordedBy)),
    ofReport((report) => report.raw?.text ?? null),
    int8Array(rows.map((row) => row.report.matchedAtNs)),
    int8Array(rows.map((row) => row.report.updatedAtNs)),
    textArray(rows.map((row) => walletsColumn(row.mentions))),
    textArray(rows.map((row) => walletsColumn(row.keyMentions))),
    textArray(identitiesOf(rows)),
    textArray(bookmarks.map((bookmark) => bookmark.subject)),
    textArray(bookmarks.map((bookmark) => bookmark.streamId)),
    int8Array(bookmarks.map((bookmark) => bookmark.offset)),
    int8Array(bookmarks.map((bookmark) => bookmark.follows)),
  ];
  const known = await client.query<{ index: number }>({ name: "ledger.appendFills", text, values });
  const outcomes: FillOutcome[] = new Array(rows.length).fill(recorded);
  for (const { index } of known.rows) outcomes[index] = duplicate;
  return outcomes;
}
