import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openAcknowledged } from "./acknowledged.ts";
import {
  type Count,
  type Counts,
  type Damage,
  type Entry,
  type NewEntry,
  type Settled,
  type SpoolBot,
  spoolBots,
} from "./entry.ts";
import { makeWhole } from "./makeWhole.ts";
import { isFull, openReserve } from "./reserve.ts";
import { fileName } from "./salvage.ts";
import {
  applySettings,
  checksumOf,
  countsOf,
  entryColumns,
  entryOf,
  isBot,
  sealOutages,
  valuesOf,
} from "./schema.ts";

const pageBytes = 4096;

/** What became of an entry that was drained. */
export type SettledEntry = { readonly seq: number; readonly as: Settled };

/** A spool's file, used by one thread of one process; every call waits for the disk. */
export type SpoolFile = {
  /** For looking into it. */
  readonly db: DatabaseSync;
  /** What one append should bring, so that the disk can be full at any time. */
  readonly transactionMaxBytes: number;
  /** The entries are on the disk when this returns. Throws what SQLite throws; nothing is kept then. */
  append(entries: readonly NewEntry[], nowMicros: number): void;
  /**
   * The first entries of a journal that wait, in order: up to `limit`, or those that have `maxBytes`. With
   * `behind`: those alone that came before all that wait of that other journal. With `after`: behind that seq.
   */
  take(
    journal: string,
    limit: number,
    maxBytes: number,
    behind: string | undefined,
    after?: number,
  ): readonly Entry[];
  /** They leave the spool. */
  settle(settled: readonly SettledEntry[]): void;
  /** It stays and is not taken again. `sqlState`: why the database refuses it. */
  refuse(seq: number, sqlState: string): void;
  /** What was refused waits again; answers how many. */
  retry(nowMicros: number): number;
  /** The bot's outage is over, unless entries of it wait. */
  endOutage(bot: SpoolBot, nowMicros: number): void;
  /** The outage is on record. */
  forgetOutage(id: string): void;
  /** What was found when it was opened; undefined: it is as it was left. */
  readonly damage: Damage | undefined;
  close(): void;
};

/** Opens the spool in a folder, or makes it; a damaged one is set aside and what can be read of it is kept. */
export function openSpoolFile(folder: string, newId: () => string, nowMicros: () => number): SpoolFile {
  const acknowledged = openAcknowledged(join(folder, "acknowledged"));
  const damage = makeWhole(folder, acknowledged.read(), { newId, nowMicros: nowMicros() });
  const db = openWhole(join(folder, fileName));
  const reserve = openReserve(join(folder, "reserve"));
  // What is in the log has to fit into the file, and on a full disk the reserve is all the room there is for it: so
  // the log is emptied, and transactions end, when they have as much as a quarter of it.
  const transactionMaxBytes = Math.floor(reserve.bytes / 4);
  db.exec(`pragma wal_autocheckpoint = ${Math.max(16, Math.floor(transactionMaxBytes / pageBytes))}`);
  const statements = statementsOf(db);
  const counts = { ...countsNow(db) };
  acknowledged.write(counts);
  /** Bots of which bytes of entries that left may still be in the log beside the file. */
  const leavesBytes = new Set(spoolBots);
  eraseWhatLeft();

  function inTransaction<T>(work: () => T): T {
    db.exec("begin immediate");
    try {
      const result = work();
      db.exec("commit");
      return result;
    } catch (cause) {
      if (db.isTransaction) db.exec("rollback");
      throw cause;
    }
  }

  /** Takes a turn of the log, so that the bytes of what left are gone from it too; a reader puts that off. */
  function eraseWhatLeft(): void {
    if (![...leavesBytes].some((bot) => statements.waits.get(bot) === undefined)) return;
    afterCommit(() => {
      db.exec("pragma incremental_vacuum");
      reserve.refill();
      if (db.prepare("pragma wal_checkpoint(truncate)").get()?.busy === 0) leavesBytes.clear();
    });
  }

  /** What is committed is committed: that its tidying fails, on a full disk, is for the next time. */
  function afterCommit(tidy: () => void): void {
    try {
      tidy();
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
    }
  }

  function note(bot: SpoolBot, { appended, removed }: Count): void {
    statements.tally.run(appended, removed, checksumOf([bot, appended, removed]), bot);
  }

  function settle(settled: readonly SettledEntry[]): void {
    const perBot = new Map<SpoolBot, Record<Settled, number>>();
    inTransaction(() => {
      for (const { seq, as } of settled) {
        const bot = statements.remove.get(seq)?.bot;
        if (!isBot(bot)) throw new Error("an entry was settled that is not in the spool");
        const tally = perBot.get(bot) ?? { flushed: 0, folded: 0, conflicting: 0 };
        tally[as]++;
        perBot.set(bot, tally);
      }
      for (const [bot, { flushed, folded, conflicting }] of perBot) {
        statements.settled.run(flushed, folded, conflicting, bot);
        note(bot, removedMore(counts[bot], flushed + folded + conflicting));
      }
      statements.seal.run();
    });
    for (const [bot, { flushed, folded, conflicting }] of perBot) {
      counts[bot] = removedMore(counts[bot], flushed + folded + conflicting);
      leavesBytes.add(bot);
    }
  }

  /** On a full disk with the room kept for it, and in smaller parts until there is enough of it. */
  function settleWhereverThereIsRoom(settled: readonly SettledEntry[]): void {
    try {
      settle(settled);
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      reserve.release();
      afterCommit(() => db.exec("pragma wal_checkpoint(truncate)"));
      const half = Math.ceil(settled.length / 2);
      for (const part of half === settled.length ? [] : [settled.slice(0, half), settled.slice(half)]) {
        settleWhereverThereIsRoom(part);
      }
      if (half === settled.length) settle(settled);
    }
  }

  return {
    db,
    damage,
    transactionMaxBytes,

    append(entries, nowMicros) {
      let seq = spoolBots.reduce((sum, bot) => sum + counts[bot].appended, 0);
      const perBot = new Map<SpoolBot, number>();
      inTransaction(() => {
        for (const entry of entries) {
          statements.append.run(...valuesOf({ ...entry, seq: ++seq }, null));
          perBot.set(entry.bot, (perBot.get(entry.bot) ?? 0) + 1);
        }
        for (const [bot, buffered] of perBot) {
          note(bot, { ...counts[bot], appended: counts[bot].appended + buffered });
          statements.begin.run(bot, newId(), nowMicros);
          statements.buffered.run(buffered, bot);
        }
        statements.seal.run();
      });
      for (const [bot, buffered] of perBot) {
        counts[bot] = { ...counts[bot], appended: counts[bot].appended + buffered };
      }
      afterCommit(() => acknowledged.write(counts));
    },

    take(journal, limit, maxBytes, behind, after = 0) {
      const entries: Entry[] = [];
      let bytes = 0;
      for (const row of statements.take.iterate(journal, behind ?? null, limit, after)) {
        const entry = entryOf(Object.values(row))?.entry;
        if (entry === undefined)
          throw new Error("an entry of the spool is damaged; start again to set it aside");
        bytes += entry.body.length;
        if (entries.length > 0 && bytes > maxBytes) break;
        entries.push(entry);
      }
      return entries;
    },

    settle(settled) {
      if (settled.length === 0) return;
      settleWhereverThereIsRoom(settled);
      afterCommit(() => acknowledged.write(counts));
      eraseWhatLeft();
    },

    refuse(seq, sqlState) {
      inTransaction(() => {
        const entry = entryOf(Object.values(statements.one.get(seq) ?? {}));
        if (entry === undefined || entry.refused !== null)
          throw new Error("an entry was refused that does not wait in the spool");
        statements.refuse.run(sqlState, valuesOf(entry.entry, sqlState).at(-1) ?? null, seq);
        statements.refused.run(entry.entry.bot);
        statements.seal.run();
      });
    },

    retry(nowMicros) {
      const entries = statements.refusedOnes.all().map((row) => entryOf(Object.values(row)));
      inTransaction(() => {
        for (const kept of entries) {
          if (kept === undefined)
            throw new Error("an entry of the spool is damaged; start again to set it aside");
          const { entry } = kept;
          statements.refuse.run(null, valuesOf(entry, null).at(-1) ?? null, entry.seq);
          statements.begin.run(entry.bot, newId(), nowMicros);
          statements.buffered.run(1, entry.bot);
        }
        statements.seal.run();
      });
      return entries.length;
    },

    endOutage(bot, nowMicros) {
      inTransaction(() => {
        statements.end.run(nowMicros, bot);
        statements.seal.run();
      });
      eraseWhatLeft();
    },

    forgetOutage(id) {
      statements.forget.run(id);
    },

    close() {
      db.close();
      acknowledged.close();
    },
  };
}

function openWhole(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  applySettings(db);
  // From here on only who looks at the spool from outside can be in the way, and nobody waits for that.
  db.exec("pragma busy_timeout = 50");
  return db;
}

function removedMore({ appended, removed }: Count, more: number): Count {
  return { appended, removed: removed + more };
}

function statementsOf(db: DatabaseSync) {
  return {
    append: db.prepare(`insert into entry (${entryColumns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    one: db.prepare(`select ${entryColumns} from entry where seq = ?`),
    tally: db.prepare("update tally set appended = ?, removed = ?, checksum = ? where bot = ?"),
    seal: db.prepare(sealOutages),
    begin: db.prepare("insert or ignore into outage (bot, id, since_micros) values (?, ?, ?)"),
    buffered: db.prepare("update outage set buffered = buffered + ? where bot = ? and until_micros is null"),
    take: db.prepare(
      `select ${entryColumns} from entry
       where journal = ?1 and refused is null and seq > ?4 and (?2 is null
         or seq < coalesce((select min(seq) from entry where journal = ?2 and refused is null), 9e15))
       order by seq limit ?3`,
    ),
    remove: db.prepare("delete from entry where seq = ? returning bot"),
    refuse: db.prepare("update entry set refused = ?, checksum = ? where seq = ?"),
    refusedOnes: db.prepare(`select ${entryColumns} from entry where refused is not null order by seq`),
    refused: db.prepare("update outage set refused = refused + 1 where bot = ? and until_micros is null"),
    settled: db.prepare(
      `update outage set flushed = flushed + ?, folded = folded + ?, conflicting = conflicting + ? where bot = ? and until_micros is null`,
    ),
    waits: db.prepare("select 1 from entry where bot = ? and refused is null limit 1"),
    end: db.prepare(
      `update outage set until_micros = ?1 where bot = ?2 and until_micros is null
         and not exists (select 1 from entry where bot = ?2 and refused is null)`,
    ),
    forget: db.prepare("delete from outage where id = ?"),
  };
}

function countsNow(db: DatabaseSync): Counts {
  const rows = db.prepare("select bot, appended, removed, checksum from tally").all();
  const counts = countsOf(rows.map((row) => Object.values(row)));
  if (counts === undefined) throw new Error("the spool's counts are missing");
  return counts;
}
