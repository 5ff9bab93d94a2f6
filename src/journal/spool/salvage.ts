import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Counts } from "./acknowledged.ts";
import type { Damage, Entry } from "./entry.ts";
import { checksumOf, entryOf, prepareSchema } from "./schema.ts";

/**
 * Opens the spool's file, or makes it. One that is damaged, or that lost what was acknowledged, goes to
 * quarantine/ as it is, and a new one begins with every record of it that can be read whole.
 */
export function salvage(
  folder: string,
  path: string,
  known: Counts | undefined,
): { readonly db: DatabaseSync; readonly damage: Damage | undefined } {
  let why: string;
  if (!existsSync(path)) {
    if (known === undefined || known.appended === known.removed) {
      const db = create(path, known ?? { appended: 0, removed: 0 }, []);
      return { db, damage: undefined };
    }
    why = "the file is gone";
  } else {
    const opened = openWhole(path, known);
    if (typeof opened !== "string") return { db: opened, damage: undefined };
    why = opened;
  }
  const quarantine = join(folder, "quarantine", new Date().toISOString().replaceAll(":", "-"));
  mkdirSync(quarantine, { recursive: true, mode: 0o700 });
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, join(quarantine, `spool.db${suffix}`));
  }
  const { kept, counts } = readWhatIsLeft(join(quarantine, "spool.db"));
  const appended = Math.max(known?.appended ?? 0, counts?.appended ?? 0, kept.at(-1)?.entry.seq ?? 0);
  const removed = Math.max(known?.removed ?? 0, counts?.removed ?? 0);
  const lost =
    known === undefined && counts === undefined ? null : Math.max(0, appended - removed - kept.length);
  const db = create(path, { appended, removed: appended - kept.length }, kept);
  return { db, damage: { quarantine, kept: kept.length, lost, why } };
}

/** The database, or what is wrong with it. */
function openWhole(path: string, known: Counts | undefined): DatabaseSync | string {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    prepareSchema(db);
    const problem = problemOf(db, known);
    if (problem === undefined) return db;
    db.close();
    return problem;
  } catch (cause) {
    if (db?.isOpen) db.close();
    return cause instanceof Error ? cause.message : "it cannot be opened";
  }
}

function problemOf(db: DatabaseSync, known: Counts | undefined): string | undefined {
  const check = db.prepare("pragma quick_check(1)").get()?.quick_check;
  if (check !== "ok") return `its pages are damaged (${String(check)})`;
  let entries = 0;
  for (const row of db.prepare("select * from entry").iterate()) {
    if (entryOf(row) === undefined) return "an entry is not as it was written";
    entries++;
  }
  const counts = countsOf(db);
  if (entries !== counts.appended - counts.removed) return "entries are missing";
  if (known !== undefined && counts.appended < known.appended) return "its end is missing";
  return undefined;
}

function countsOf(db: DatabaseSync): Counts {
  const row = db.prepare("select appended, removed from tally").get();
  return { appended: Number(row?.appended), removed: Number(row?.removed) };
}

type Kept = { readonly entry: Entry; readonly refused: string | null };

/** Every entry that is as it was written; a damaged page costs those on it. */
function readWhatIsLeft(path: string): {
  readonly kept: readonly Kept[];
  readonly counts: Counts | undefined;
} {
  const kept: Kept[] = [];
  let counts: Counts | undefined;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path);
    const seqs = attempt(() => {
      const row = db?.prepare("select min(seq) as first, max(seq) as last from entry").get();
      return { first: Number(row?.first), last: Number(row?.last) };
    });
    counts = attempt(() => (db === undefined ? undefined : countsOf(db)));
    const one = db.prepare("select * from entry where seq = ?");
    const first = seqs?.first ?? (counts?.removed ?? 0) + 1;
    const last = seqs?.last ?? counts?.appended ?? 0;
    for (let seq = first; seq <= last; seq++) {
      const row = attempt(() => one.get(seq));
      const entry = entryOf(row);
      if (entry !== undefined)
        kept.push({ entry, refused: typeof row?.refused === "string" ? row.refused : null });
    }
  } catch (cause) {
    // Not a database any more: nothing is left to read, which the caller says.
    if (!(cause instanceof Error)) throw cause;
  } finally {
    if (db?.isOpen) db.close();
  }
  return { kept, counts };
}

/** What a read of a damaged file gives; undefined where it fails. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof Error) return undefined;
    throw cause;
  }
}

function create(path: string, counts: Counts, kept: readonly Kept[]): DatabaseSync {
  const db = new DatabaseSync(path);
  prepareSchema(db);
  db.exec("begin immediate");
  const insert = db.prepare(
    `insert into entry (seq, journal, bot, order_key, own_key, accepted_micros, body, checksum, refused)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const { entry, refused } of kept) {
    const { seq, journal, bot, orderKey, ownKey, acceptedMicros, body } = entry;
    insert.run(seq, journal, bot, orderKey, ownKey, acceptedMicros, body, checksumOf(entry), refused);
  }
  db.prepare("update tally set appended = ?, removed = ?").run(counts.appended, counts.removed);
  db.exec("commit");
  return db;
}
