import { DatabaseSync } from "node:sqlite";
import { type Counts, spoolBots } from "./entry.ts";
import { missingOf } from "./missing.ts";
import type { Value } from "./pages.ts";
import {
  applySettings,
  checksumOf,
  countsOf,
  createTables,
  entryColumns,
  entryOf,
  isBot,
  isWhole,
  outageColumns,
  sealOutages,
  valuesOf,
} from "./schema.ts";

/** Who asks for ids and the time of an outage that nothing else is known of. */
type Outages = { readonly newId: () => string; readonly nowMicros: number };

/**
 * Makes a spool's file of the rows that are as they were written, and says how many records are missing. It is one file,
 * on the disk, when this returns. Without `outages` nothing is noted of what is missing.
 */
export function rebuild(
  path: string,
  rows: Iterable<readonly Value[]>,
  known: Counts | undefined,
  outages: Outages | undefined,
): { readonly kept: number; readonly lost: number | null } {
  const db = new DatabaseSync(path);
  try {
    applySettings(db);
    db.exec("begin immediate");
    createTables(db);
    const inFile = countsOf(fill(db, rows));
    const kept = keptIn(db);
    const lastSeq = Number(db.prepare("select max(seq) as seq from entry").get()?.seq);
    const { counts, lost } = missingOf({ known, inFile, kept }, lastSeq);
    const note = db.prepare("update tally set appended = ?2, removed = ?3, checksum = ?4 where bot = ?1");
    for (const bot of spoolBots) {
      const { appended, removed } = counts[bot];
      note.run(bot, appended, removed, checksumOf([bot, appended, removed]));
      if (outages !== undefined) noteLost(db, bot, lost[bot], outages);
    }
    db.exec("commit");
    db.exec("pragma wal_checkpoint(truncate)");
    const losses = spoolBots.map((bot) => lost[bot]);
    return {
      kept: spoolBots.reduce((sum, bot) => sum + kept[bot], 0),
      lost: losses.reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0),
    };
  } finally {
    db.close();
  }
}

/** Puts entries and outages into the file; answers what rows of counts there are. */
function fill(db: DatabaseSync, rows: Iterable<readonly Value[]>): (readonly Value[])[] {
  const places = (columns: string) => columns.replaceAll(/\w+/g, "?");
  const insert = db.prepare(`insert or ignore into entry (${entryColumns}) values (${places(entryColumns)})`);
  const insertOutage = db.prepare(
    `insert or ignore into outage (${outageColumns}) values (${places(outageColumns)})`,
  );
  const tallies: (readonly Value[])[] = [];
  for (const values of rows) {
    const found = entryOf(values);
    if (found !== undefined) insert.run(...valuesOf(found.entry, found.refused));
    else if (values.length === 4) tallies.push(values);
    else if (values.length === 11 && isWhole(values) && isBot(values[1])) insertOutage.run(...values);
  }
  return tallies;
}

function keptIn(db: DatabaseSync) {
  const count = db.prepare("select count(*) as entries from entry where bot = ?");
  const of = (bot: string) => Number(count.get(bot)?.entries);
  return { [spoolBots[0]]: of(spoolBots[0]), [spoolBots[1]]: of(spoolBots[1]) };
}

/** The bot's outage tells of what is missing, also where nothing else of it does. */
function noteLost(db: DatabaseSync, bot: string, lost: number | null, { newId, nowMicros }: Outages): void {
  const row = db.prepare("select count(*) as waiting from entry where bot = ? and refused is null").get(bot);
  const waiting = Number(row?.waiting);
  if (waiting === 0 && lost === 0) return;
  db.prepare("insert or ignore into outage (bot, id, since_micros, buffered) values (?, ?, ?, ?)").run(
    bot,
    newId(),
    nowMicros,
    waiting + (lost ?? 0),
  );
  db.prepare("update outage set lost = lost + ? where bot = ? and until_micros is null").run(lost, bot);
  db.exec(sealOutages);
}
