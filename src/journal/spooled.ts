import { fromBody, toBody } from "./spool/body.ts";
import type { Entry, NewEntry, Settled, SpoolBot } from "./spool/entry.ts";
import type { Spool } from "./spool/spool.ts";

/** The row is durable in this replica's spool; whether it is a duplicate or in conflict is not known yet (R23). */
export type Buffered = { readonly kind: "buffered" };
export const buffered: Buffered = { kind: "buffered" };

/** How a kind of record goes through the spool. */
export type Spooling<Row, Outcome> = {
  readonly spool: Spool;
  readonly bot: SpoolBot;
  /** What the order is kept by: a wallet's session, a parameter. */
  readonly orderKey: (row: Row) => string;
  /** Another name under which later records follow the row. */
  readonly ownKey?: (row: Row) => string;
  /** The row as it is spooled, without what can be made again. */
  readonly lean?: (row: Row) => Row;
  /** The row that `lean` made; undefined when the spooled text is none of this version's. */
  readonly restore: (spooled: unknown) => Row | undefined;
  /** Nothing of this journal is drained before what came earlier of that one. */
  readonly behind?: string;
  /** What an outcome means for a row that was acknowledged before; undefined: it cannot be told yet. */
  readonly settle: (row: Row, outcome: Outcome) => SettledRow<Row> | undefined;
  readonly acceptedMicros: (row: Row) => number;
};

export type SettledRow<Row> =
  | { readonly as: "flushed" }
  | {
      readonly as: Exclude<Settled, "flushed">;
      /** The id that its caller was told, and the record that had its key before. */
      readonly ids?: { readonly recordId: string; readonly firstRecordId: string };
      /** What is to be on record of a row in conflict, beside what the database keeps by itself. */
      readonly again?: Row;
    };

/** The rows as entries of the spool. */
export function entriesOf<Row, Outcome>(
  journal: string,
  { bot, orderKey, ownKey, lean, acceptedMicros }: Spooling<Row, Outcome>,
  rows: readonly Row[],
): NewEntry[] {
  return rows.map((row) => ({
    journal,
    bot,
    orderKey: keyHash(orderKey(row)),
    ownKey: ownKey === undefined ? null : keyHash(ownKey(row)),
    acceptedMicros: acceptedMicros(row),
    body: toBody(lean === undefined ? row : lean(row)),
  }));
}

/** The entry's row; undefined when it is as it was written, and is no record of this version. */
export function rowOf<Row, Outcome>(entry: Entry, { restore }: Spooling<Row, Outcome>): Row | undefined {
  return restore(fromBody(entry.body));
}

/** Whether the row has to follow another one into the spool. */
export function mustWait<Row, Outcome>(
  { spool, orderKey, ownKey }: Spooling<Row, Outcome>,
  row: Row,
): boolean {
  return spool.holds(keyHash(orderKey(row))) || (ownKey !== undefined && spool.holds(keyHash(ownKey(row))));
}

/** FNV-1a over UTF-16 units, 32 bits: two keys that share one wait for each other, which harms nobody. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Whether what came out of the spool has the members of a row. Its checksum says that it is as it was written. */
export function hasMembers<Row extends object>(
  spooled: unknown,
  members: readonly (keyof Row & string)[],
): spooled is Row {
  return typeof spooled === "object" && spooled !== null && members.every((member) => member in spooled);
}
