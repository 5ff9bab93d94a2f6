import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Entry } from "./entry.ts";

/**
 * refused: the SQLSTATE of a record that the database refuses for what it is; such a record stays.
 * tally: one row; appended is the last seq. outage: a bot's time without its database, until it is on record there.
 */
const schema = `
  create table if not exists entry (
    seq integer primary key,
    journal text not null,
    bot text not null,
    order_key integer not null,
    own_key integer,
    accepted_micros integer not null,
    body text not null,
    checksum integer not null,
    refused text
  ) strict;
  create index if not exists entry_journal on entry (journal, seq) where refused is null;
  create table if not exists tally (
    only_row integer primary key check (only_row = 1),
    appended integer not null,
    removed integer not null
  ) strict;
  insert or ignore into tally values (1, 0, 0);
  create table if not exists outage (
    id text primary key,
    bot text not null,
    since_micros integer not null,
    until_micros integer,
    buffered integer not null default 0,
    flushed integer not null default 0,
    folded integer not null default 0,
    conflicting integer not null default 0,
    refused integer not null default 0,
    lost integer not null default 0
  ) strict;
  create unique index if not exists outage_now on outage (bot) where until_micros is null;
`;

/**
 * What was committed is on the disk (FULL). Drained records leave no bytes behind, in the file or beside it:
 * they may name wallets that are scrubbed later (R11).
 */
const settings = `
  pragma auto_vacuum = incremental;
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma secure_delete = on;
  pragma journal_size_limit = 16777216;
  pragma busy_timeout = 2000;
`;

/** Makes what is missing of a spool's file. Throws what SQLite throws when the file is damaged. */
export function prepareSchema(db: DatabaseSync): void {
  db.exec(settings);
  db.exec(schema);
}

/** Tells whether a row is the one that was written, whatever became of its bytes. */
export function checksumOf(entry: Entry): number {
  const { seq, journal, bot, orderKey, ownKey, acceptedMicros, body } = entry;
  return crc32(`${seq} ${journal} ${bot} ${orderKey} ${ownKey} ${acceptedMicros} ${body}`);
}

type EntryRow = {
  readonly seq: number;
  readonly journal: string;
  readonly bot: string;
  readonly order_key: number;
  readonly own_key: number | null;
  readonly accepted_micros: number;
  readonly body: string;
  readonly checksum: number;
};

/** The entry that a row holds; undefined when it is not the one that was written. */
export function entryOf(row: unknown): Entry | undefined {
  if (!isEntryRow(row)) return undefined;
  const { bot } = row;
  if (bot !== "gov.useractivityledger" && bot !== "gov.parameterchangeauditor") return undefined;
  const entry = {
    seq: row.seq,
    journal: row.journal,
    bot,
    orderKey: row.order_key,
    ownKey: row.own_key,
    acceptedMicros: row.accepted_micros,
    body: row.body,
  } as const;
  return checksumOf(entry) === row.checksum ? entry : undefined;
}

function isEntryRow(row: unknown): row is EntryRow {
  return typeof row === "object" && row !== null && "body" in row && typeof row.body === "string";
}
