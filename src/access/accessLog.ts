import type pg from "pg";
import type { Clock } from "../clock.ts";
import { textArray, timestamptzArray } from "../db/binaryArrays.ts";
import { StoreUnavailable } from "../journal/commit.ts";
import type { Journal } from "../journal/journal.ts";
import { identitiesOf, walletsColumn } from "../ledger/append.ts";
import type { Identities } from "../ledger/identity.ts";
import {
  type Replacements,
  replaceWallets,
  replaceWalletsInJson,
  walletsIn,
  walletsInJson,
} from "../ledger/mentions.ts";
import type { Caller } from "../server/authenticate.ts";
import { Failure } from "../server/failure.ts";

/** A call that reads records, as it was asked and answered. */
export type AccessRow = {
  readonly atMicros: number;
  readonly requestId: string;
  readonly subject: string;
  readonly roles: string;
  /** "Service/Method". */
  readonly method: string;
  /** What was asked for, as JSON. */
  readonly filters: string;
  /** "ALLOWED", or the reason it was refused. */
  readonly outcome: string;
};

/** A call on its way into the log. */
export type NewAccessRow = AccessRow & {
  /** What stands for the wallets that it names, for the database to refuse closed ones. */
  readonly wallets: Replacements;
};

/** Leaves one row for each call that reads records, before it is answered (contract: who may do what). */
export type AccessLog = {
  allowed(call: { caller: Caller; requestId: string }, method: string, filters: string): Promise<void>;
  refused(
    call: { caller: Caller; requestId: string },
    method: string,
    filters: string,
    reason: string,
  ): Promise<void>;
};

export function createAccessLog(
  journal: Journal<NewAccessRow, undefined>,
  clock: Clock,
  identities: Identities,
): AccessLog {
  async function append(
    call: { caller: Caller; requestId: string },
    method: string,
    filters: string,
    outcome: string,
  ): Promise<void> {
    const row = {
      atMicros: clock.nowMicros(),
      requestId: call.requestId,
      subject: call.caller.subject,
      roles: [...call.caller.roles].join(" "),
      method,
      filters,
      outcome,
      wallets: identities.ofAll([...walletsIn(call.caller.subject), ...walletsInJson(filters)]),
    };
    try {
      await journal.append(row.subject, [row]);
    } catch (cause) {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      throw new Failure("STORE_UNAVAILABLE", "the store cannot be read now", { retryAfterMs: 1000, cause });
    }
  }

  return {
    allowed: (call, method, filters) => append(call, method, filters, "ALLOWED"),
    refused: append,
  };
}

/** The row with what stands for closed wallets wherever it names them. */
export function hashedAccess(row: NewAccessRow, closed: Replacements): NewAccessRow {
  return {
    ...row,
    subject: replaceWallets(row.subject, closed),
    filters: replaceWalletsInJson(row.filters, closed),
    wallets: new Map([...row.wallets].filter(([wallet]) => !closed.has(wallet))),
  };
}

/** Writes access rows in one statement. */
export async function appendAccess(
  client: pg.Client,
  rows: readonly NewAccessRow[],
): Promise<readonly undefined[]> {
  await client.query({
    name: "access.append",
    text: `select access.append($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
             $7::text[], $8::text[], $9::text[])`,
    values: [
      timestamptzArray(rows.map((row) => row.atMicros)),
      textArray(rows.map((row) => row.requestId)),
      textArray(rows.map((row) => row.subject)),
      textArray(rows.map((row) => row.roles)),
      textArray(rows.map((row) => row.method)),
      textArray(rows.map((row) => row.filters)),
      textArray(rows.map((row) => row.outcome)),
      textArray(rows.map((row) => walletsColumn([...row.wallets.keys()]))),
      textArray(identitiesOf(rows)),
    ],
  });
  return rows.map(() => undefined);
}
