import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { type Counts, type Entry, type SpoolBot, spoolBots } from "./entry.ts";

/**
 * refused: the SQLSTATE of a record that the database refuses for what it is; such a record stays.
 * tally: appended of both bots together is the last seq. outage: a bot's time without its database, until it is on
 * record there. Each row has a checksum of its other columns, in their order.
 */
const schema = `
  create table entry (
    seq integer primary key,
    journal text not null,
    bot text not null,
    order_key integer not null,
    own_key integer,
    accepted_micros integer not null,
    body text not null,
    refused text,
    checksum integer not null
  ) strict;
  create index entry_journal on entry (journal, seq) where refused is null;
  create table tally (
    bot text not null unique,
    appended integer not null,
    removed integer not null,
    checksum integer not null
  ) strict;
  create table outage (
    id text not null unique,
    bot text not null,
    since_micros integer not null,
    until_micros integer,
    buffered integer not null default 0,
    flushed integer not null default 0,
    folded integer not null default 0,
    conflicting integer not null default 0,
    refused integer not null default 0,
    lost integer default 0,
    checksum integer not null default 0
  ) strict;
  create unique index outage_now on outage (bot) where until_micros is null;
`;

/**
 * What was committed is on the disk (FULL). Drained records leave no bytes behind, in the file or beside it:
 * they may name wallets that are scrubbed later (R11).
 */
const settings = `
  pragma page_size = 4096;
  pragma auto_vacuum = incremental;
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma secure_delete = on;
  pragma journal_size_limit = 16777216;
  pragma busy_timeout = 2000;
`;

/** Brings a connection to the way a spool is written. */
export function applySettings(db: DatabaseSync): void {
  db.exec(settings);
  db.function("checksum_of", { varargs: true, deterministic: true }, (...values) => checksumOf(values));
}

/** Makes the tables of a new spool. */
export function createTables(db: DatabaseSync): void {
  db.exec(schema);
  const begin = db.prepare("insert into tally values (?, 0, 0, ?)");
  for (const bot of spoolBots) begin.run(bot, checksumOf([bot, 0, 0]));
}

/** The tables as SQLite has them. */
export function schemaOf(db: DatabaseSync): string {
  const rows = db.prepare("select name, sql from sqlite_schema order by name").all();
  return JSON.stringify(rows.map(({ name, sql }) => [name, sql]));
}

/** Whatever changed `outage` ends with this. */
export const sealOutages = `update outage set checksum = checksum_of(id, bot, since_micros, until_micros, buffered,
  flushed, folded, conflicting, refused, lost)`;

/** Tells whether a row is the one that was written, whatever became of its bytes. */
export function checksumOf(values: readonly unknown[]): number {
  return crc32(JSON.stringify(values));
}

/** Whether the last of a row's values is the checksum of the others. */
export function isWhole(values: readonly unknown[]): boolean {
  return values.at(-1) === checksumOf(values.slice(0, -1));
}

export const entryColumns = "seq, journal, bot, order_key, own_key, accepted_micros, body, refused, checksum";
export const outageColumns =
  "id, bot, since_micros, until_micros, buffered, flushed, folded, conflicting, refused, lost, checksum";

/** A row of `entry`, its columns in order. */
export function valuesOf(entry: Entry, refused: string | null) {
  const { seq, journal, bot, orderKey, ownKey, acceptedMicros, body } = entry;
  const values = [seq, journal, bot, orderKey, ownKey, acceptedMicros, body, refused] as const;
  return [...values, checksumOf(values)] as const;
}

/** An entry that is in the spool; refused: why the database does not take it. */
export type KeptEntry = { readonly entry: Entry; readonly refused: string | null };

/** The entry that the values of a row are; undefined when it is not the one that was written. */
export function entryOf(values: readonly unknown[]): KeptEntry | undefined {
  if (values.length !== 9 || !isWhole(values)) return undefined;
  const [seq, journal, bot, orderKey, ownKey, acceptedMicros, body, refused] = values;
  if (!isBot(bot)) return undefined;
  return {
    entry: {
      seq: Number(seq),
      journal: String(journal),
      bot,
      orderKey: Number(orderKey),
      ownKey: ownKey === null ? null : Number(ownKey),
      acceptedMicros: Number(acceptedMicros),
      body: String(body),
    },
    refused: refused === null ? null : String(refused),
  };
}

/** The counts that rows of `tally` hold; undefined when one is missing or not as it was written. */
export function countsOf(rows: readonly (readonly unknown[])[]): Counts | undefined {
  const of = (bot: SpoolBot) => {
    const row = rows.find((values) => values.length === 4 && values[0] === bot && isWhole(values));
    return row && { appended: Number(row[1]), removed: Number(row[2]) };
  };
  const [ledger, auditor] = spoolBots.map(of);
  return ledger && auditor && { [spoolBots[0]]: ledger, [spoolBots[1]]: auditor };
}

export function isBot(text: unknown): text is SpoolBot {
  return spoolBots.some((bot) => bot === text);
}
