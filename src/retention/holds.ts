import type pg from "pg";
import { type LegalHold, RecordKind } from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { read } from "../db/read.ts";
import { timestampOfMicros } from "../time.ts";
import type { Scope } from "./scope.ts";
import { conflicts, heldSql, monthlyTables, type PurgedTable } from "./tables.ts";

/** A legal hold as it is stored. Times are microseconds. */
export type StoredHold = Scope & {
  /** Grows with each hold that is placed; a decimal string, as it is 64 bits wide. */
  readonly seq: string;
  readonly holdId: string;
  readonly reason: string;
  readonly placedBy: string;
  readonly placedMicros: number;
  readonly release:
    | { readonly reason: string; readonly releasedBy: string; readonly releasedMicros: number }
    | undefined;
};

type Row = {
  seq: string;
  hold_id: string;
  kind: "a" | "c";
  wallet: string | null;
  identity: string | null;
  session_id: string | null;
  bot_slug: string | null;
  param_name: string | null;
  bot_key: string | null;
  param_key: string | null;
  from_micros: string | null;
  to_micros: string | null;
  reason: string;
  placed_by: string;
  placed_micros: string;
  release_reason: string | null;
  released_by: string | null;
  released_micros: string | null;
};

const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint::text`;
const timeOf = (parameter: string) => `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;

const select = `select h.seq::text as seq, h.hold_id, h.kind::text as kind, h.wallet, h.identity, h.session_id,
    h.bot_slug, h.param_name, h.bot_key, h.param_key, ${micros("h.from_at")} as from_micros,
    ${micros("h.to_at")} as to_micros, h.reason, h.placed_by, ${micros("h.placed_at")} as placed_micros,
    r.reason as release_reason, r.released_by, ${micros("r.released_at")} as released_micros
  from maintenance.legal_hold h left join maintenance.legal_hold_release r on r.hold_id = h.hold_id`;

function holdOf(row: Row): StoredHold {
  const isReleased = row.release_reason !== null && row.released_by !== null && row.released_micros !== null;
  return {
    seq: row.seq,
    holdId: row.hold_id,
    kind: row.kind,
    wallet: row.wallet,
    identity: row.identity,
    sessionId: row.session_id,
    botSlug: row.bot_slug,
    paramName: row.param_name,
    botKey: row.bot_key,
    paramKey: row.param_key,
    fromMicros: row.from_micros === null ? null : BigInt(row.from_micros),
    toMicros: row.to_micros === null ? null : BigInt(row.to_micros),
    reason: row.reason,
    placedBy: row.placed_by,
    placedMicros: Number(row.placed_micros),
    release: isReleased
      ? {
          reason: row.release_reason ?? "",
          releasedBy: row.released_by ?? "",
          releasedMicros: Number(row.released_micros),
        }
      : undefined,
  };
}

/** The hold of that id. Throws STORE_UNAVAILABLE. */
export async function readHold(pool: pg.Pool, holdId: string): Promise<StoredHold | undefined> {
  const rows = await read<Row>(pool, { text: `${select} where h.hold_id = $1`, values: [holdId] });
  return rows.map(holdOf)[0];
}

/** Holds, newest first, older than the one of that seq. Throws STORE_UNAVAILABLE. */
export async function readHolds(
  pool: pg.Pool,
  page: { readonly inForce: boolean; readonly before: string | null; readonly limit: number },
): Promise<readonly StoredHold[]> {
  const rows = await read<Row>(pool, {
    text: `${select} where ($1::bigint is null or h.seq < $1) and not ($2 and r.hold_id is not null)
      order by h.seq desc limit $3`,
    values: [page.before, page.inForce, page.limit],
  });
  return rows.map(holdOf);
}

/**
 * Places the hold, unless one of that id is there: then that one stands. Waits while the purge takes a month
 * or a wallet is scrubbed, so that nothing goes that the hold covers once this resolved.
 */
export async function placeHold(
  pool: pg.Pool,
  hold: Scope & Pick<StoredHold, "holdId" | "reason" | "placedBy" | "placedMicros">,
): Promise<void> {
  await read(pool, {
    text: `select maintenance.place_hold($1, $2::text::"char", $3, $4, $5, $6, $7, $8, $9,
      ${timeOf("$10")}, ${timeOf("$11")}, $12, $13, ${timeOf("$14")})`,
    values: [
      hold.holdId,
      hold.kind,
      hold.wallet,
      hold.identity,
      hold.sessionId,
      hold.botSlug,
      hold.paramName,
      hold.botKey,
      hold.paramKey,
      hold.fromMicros,
      hold.toMicros,
      hold.reason,
      hold.placedBy,
      hold.placedMicros,
    ],
  });
}

/** Releases the hold; the first release stands. */
export async function releaseHold(
  pool: pg.Pool,
  release: {
    readonly holdId: string;
    readonly reason: string;
    readonly releasedBy: string;
    readonly releasedMicros: number;
  },
): Promise<void> {
  await read(pool, {
    text: `select maintenance.release_hold($1, $2, $3, ${timeOf("$4")})`,
    values: [release.holdId, release.reason, release.releasedBy, release.releasedMicros],
  });
}

/** Whether a hold of that id asks for the same. */
export function isSameHold(hold: StoredHold, asked: Scope & { readonly reason: string }): boolean {
  return (
    hold.kind === asked.kind &&
    hold.identity === asked.identity &&
    hold.sessionId === asked.sessionId &&
    hold.botSlug === asked.botSlug &&
    hold.paramName === asked.paramName &&
    hold.fromMicros === asked.fromMicros &&
    hold.toMicros === asked.toMicros &&
    hold.reason === asked.reason
  );
}

/** A hold as the contract has it. */
export function legalHold(hold: StoredHold): LegalHold {
  return {
    $typeName: "polytraders.governance.v1.LegalHold",
    holdId: hold.holdId,
    scope: {
      $typeName: "polytraders.governance.v1.HoldScope",
      kind: hold.kind === "a" ? RecordKind.USER_ACTIVITY : RecordKind.PARAMETER_CHANGES,
      wallet: hold.wallet ?? hold.identity ?? "",
      sessionId: hold.sessionId ?? "",
      botSlug: hold.botSlug ?? "",
      paramName: hold.paramName ?? "",
      ...(hold.fromMicros === null ? {} : { fromTime: timestampOfMicros(Number(hold.fromMicros)) }),
      ...(hold.toMicros === null ? {} : { toTime: timestampOfMicros(Number(hold.toMicros)) }),
    },
    reason: hold.reason,
    placedBy: hold.placedBy,
    placedAt: timestampOfMicros(hold.placedMicros),
    releaseReason: hold.release?.reason ?? "",
    releasedBy: hold.release?.releasedBy ?? "",
    ...(hold.release === undefined ? {} : { releasedAt: timestampOfMicros(hold.release.releasedMicros) }),
  };
}

/** Holds are placed before or after what runs under this lock, never meanwhile; to the end of the transaction. */
export const lockHolds = "select pg_advisory_xact_lock(hashtextextended('governance.holds', 0))";

/** Where a wallet's records lie, and how they name it beside the column. */
const walletTables: readonly { readonly table: PurgedTable; readonly hasMentions: boolean }[] = [
  ...monthlyTables
    .filter(({ name }) => name.startsWith("ledger."))
    .map((table) => ({ table, hasMentions: /user_action|fill_report/.test(table.name) })),
  { table: conflicts, hasMentions: true },
];

/**
 * True when a hold in force covers any record of the wallet (0x…, any case), or of what stands for it. Inside
 * a transaction no hold is placed until it ends, so that what was not held when it began is not held then.
 */
export async function heldWallet(
  client: Pick<pg.ClientBase, "query">,
  wallet: string,
  identity: string,
): Promise<boolean> {
  await client.query(lockHolds);
  type Holds = { readonly some: boolean; readonly named: boolean };
  const { rows: holds } = await client.query<Holds>(
    `select count(*) > 0 as some, coalesce(bool_or(wallet is null and identity = $1), false) as named
     from maintenance.hold_in_force where kind = 'a'`,
    [identity],
  );
  if (!holds[0]?.some) return false;
  // A hold that knows the identity alone cannot be compared with what is not scrubbed yet.
  if (holds[0].named) return true;
  const address = wallet.toLowerCase();
  const held = walletTables.map(({ table, hasMentions }) => {
    const mentioned = hasMentions ? " or t.mentions @> array[substr($1, 3)]" : "";
    return `exists (select from ${table.name} t
      where (lower(t.wallet) in ($1, $2)${mentioned}) and ${heldSql(table)})`;
  });
  const { rows } = await client.query<{ held: boolean }>(`select ${held.join("\n or ")} as held`, [
    address,
    identity,
  ]);
  return rows[0]?.held ?? false;
}
