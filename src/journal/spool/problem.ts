import { DatabaseSync } from "node:sqlite";
import { type Counts, spoolBots } from "./entry.ts";
import {
  applySettings,
  countsOf,
  createTables,
  entryColumns,
  entryOf,
  isWhole,
  outageColumns,
  schemaOf,
} from "./schema.ts";

/**
 * What is wrong with a spool's file; undefined: it is as it was left. Changes nothing, so that what is damaged can be set
 * aside as it is. Throws when that cannot be told now: the disk is full, or the file may not be read.
 */
export function problemOf(path: string, known: Counts | undefined): string | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 2000 });
    return problemIn(db, known);
  } catch (cause) {
    if (isPassing(cause)) throw cause;
    return cause instanceof Error ? cause.message : "it cannot be opened";
  } finally {
    if (db?.isOpen) db.close();
  }
}

function problemIn(db: DatabaseSync, known: Counts | undefined): string | undefined {
  const check = db.prepare("pragma integrity_check(1)").get()?.integrity_check;
  if (check !== "ok") return `its pages are damaged (${String(check)})`;
  if (schemaOf(db) !== ownSchema()) return "its tables are not those of this version";
  const counts = countsOf(rowsOf(db, "bot, appended, removed, checksum", "tally"));
  if (counts === undefined) return "its counts are not as they were written";
  const entries = { [spoolBots[0]]: 0, [spoolBots[1]]: 0 };
  for (const values of valuesIn(db, entryColumns, "entry")) {
    const found = entryOf(values);
    if (found === undefined) return "an entry is not as it was written";
    entries[found.entry.bot]++;
  }
  if (!rowsOf(db, outageColumns, "outage").every(isWhole)) return "an outage is not as it was written";
  for (const bot of spoolBots) {
    const { appended, removed } = counts[bot];
    if (entries[bot] !== appended - removed) return "entries are missing";
    if (known === undefined) continue;
    if (appended < known[bot].appended) return "its end is missing";
    if (removed < known[bot].removed) return "it is of an earlier time";
  }
  return undefined;
}

function* valuesIn(db: DatabaseSync, columns: string, table: string): Generator<readonly unknown[]> {
  const names = columns.split(", ");
  for (const row of db.prepare(`select ${columns} from ${table}`).iterate()) {
    yield names.map((name) => row[name]);
  }
}

function rowsOf(db: DatabaseSync, columns: string, table: string): (readonly unknown[])[] {
  return [...valuesIn(db, columns, table)];
}

function ownSchema(): string {
  const db = new DatabaseSync(":memory:");
  try {
    applySettings(db);
    createTables(db);
    return schemaOf(db);
  } finally {
    db.close();
  }
}

/** https://www.sqlite.org/rescode.html: permissions, locks, memory, a full disk; of the disk's errors not those of reading. */
const passing = new Set([3, 5, 6, 7, 13, 14]);
const ioError = 10;
const ofReading = new Set([266, 522, 8458]);

/** Whether the error says nothing about the file itself. */
function isPassing(cause: unknown): boolean {
  if (!(cause instanceof Error) || !("errcode" in cause) || typeof cause.errcode !== "number") return false;
  const primary = cause.errcode & 0xff;
  return passing.has(primary) || (primary === ioError && !ofReading.has(cause.errcode));
}
