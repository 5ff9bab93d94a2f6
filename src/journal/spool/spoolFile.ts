import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { openAcknowledged } from "./acknowledged.ts";
import { type Damage, type Entry, type NewEntry, type Settled, type SpoolBot, spoolBots } from "./entry.ts";
import { salvage } from "./salvage.ts";
import { checksumOf, entryOf } from "./schema.ts";

/** What became of an entry that was drained. */
export type SettledEntry = { readonly seq: number; readonly as: Settled };

/** A spool's file, used by one thread of one process; every call waits for the disk. */
export type SpoolFile = {
  /** For looking into it. */
  readonly db: DatabaseSync;
  /** The entries are on the disk when this returns. Throws what SQLite throws; nothing is kept then. */
  append(entries: readonly NewEntry[], nowMicros: number): void;
  /**
   * The first entries of a journal that wait, in order: up to `limit`, or those that have `maxBytes`. With
   * `behind`: those alone that came before all that wait of that other journal.
   */
  take(journal: string, limit: number, maxBytes: number, behind: string | undefined): readonly Entry[];
  /** They leave the spool. */
  settle(settled: readonly SettledEntry[]): void;
  /** It stays and is not taken again. `sqlState`: why the database refuses it. */
  refuse(seq: number, sqlState: string): void;
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
  const path = join(folder, "spool.db");
  const acknowledged = openAcknowledged(join(folder, "acknowledged"));
  const { db, damage } = salvage(folder, path, acknowledged.read());
  const statements = statementsOf(db);
  const counts = countsOf(db);
  acknowledged.write(counts);
  if (damage !== undefined) noteDamage(damage);

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

  /** What was known of outages went with the damaged file; whose records are missing nobody can tell. */
  function noteDamage({ lost }: Damage): void {
    inTransaction(() => {
      for (const bot of spoolBots) {
        const waiting = Number(statements.count.get(bot)?.entries);
        if (waiting === 0 && lost === 0) continue;
        statements.begin.run(bot, newId(), nowMicros());
        statements.buffered.run(waiting, bot);
        statements.lost.run(lost ?? 0, bot);
      }
    });
  }

  return {
    db,
    damage,

    append(entries, nowMicros) {
      let { appended } = counts;
      inTransaction(() => {
        const perBot = new Map<SpoolBot, number>();
        for (const entry of entries) {
          appended++;
          const { journal, bot, orderKey, ownKey, acceptedMicros, body } = entry;
          const checksum = checksumOf({ ...entry, seq: appended });
          statements.append.run(appended, journal, bot, orderKey, ownKey, acceptedMicros, body, checksum);
          perBot.set(bot, (perBot.get(bot) ?? 0) + 1);
        }
        statements.tally.run(appended, counts.removed);
        for (const [bot, buffered] of perBot) {
          statements.begin.run(bot, newId(), nowMicros);
          statements.buffered.run(buffered, bot);
        }
      });
      counts.appended = appended;
      acknowledged.write(counts);
    },

    take(journal, limit, maxBytes, behind) {
      const entries: Entry[] = [];
      let bytes = 0;
      for (const row of statements.take.iterate(journal, behind ?? null, limit)) {
        const entry = entryOf(row);
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
      const removed = counts.removed + settled.length;
      const isEmpty = inTransaction(() => {
        const tally = new Map<string, Record<Settled, number>>();
        for (const { seq, as } of settled) {
          const bot = statements.remove.get(seq)?.bot;
          if (typeof bot !== "string") throw new Error("an entry was settled that is not in the spool");
          const ofBot = tally.get(bot) ?? { flushed: 0, folded: 0, conflicting: 0 };
          ofBot[as]++;
          tally.set(bot, ofBot);
        }
        for (const [bot, { flushed, folded, conflicting }] of tally) {
          statements.settled.run(flushed, folded, conflicting, bot);
        }
        statements.tally.run(counts.appended, removed);
        return statements.any.get() === undefined;
      });
      counts.removed = removed;
      acknowledged.write(counts);
      // Only now are the bytes gone from the file and from the log beside it.
      if (isEmpty) db.exec("pragma incremental_vacuum; pragma wal_checkpoint(truncate)");
    },

    refuse(seq, sqlState) {
      inTransaction(() => {
        const bot = statements.refuse.get(sqlState, seq)?.bot;
        if (typeof bot === "string") statements.refused.run(bot);
      });
    },

    endOutage(bot, nowMicros) {
      statements.end.run(nowMicros, bot);
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

function statementsOf(db: DatabaseSync) {
  return {
    append: db.prepare(
      `insert into entry (seq, journal, bot, order_key, own_key, accepted_micros, body, checksum)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    tally: db.prepare("update tally set appended = ?, removed = ?"),
    begin: db.prepare("insert or ignore into outage (bot, id, since_micros) values (?, ?, ?)"),
    buffered: db.prepare("update outage set buffered = buffered + ? where bot = ? and until_micros is null"),
    lost: db.prepare("update outage set lost = lost + ? where bot = ? and until_micros is null"),
    take: db.prepare(
      `select seq, journal, bot, order_key, own_key, accepted_micros, body, checksum from entry
       where journal = ?1 and refused is null and (?2 is null
         or seq < coalesce((select min(seq) from entry where journal = ?2 and refused is null), 9e15))
       order by seq limit ?3`,
    ),
    remove: db.prepare("delete from entry where seq = ? returning bot"),
    refuse: db.prepare("update entry set refused = ? where seq = ? and refused is null returning bot"),
    refused: db.prepare("update outage set refused = refused + 1 where bot = ? and until_micros is null"),
    settled: db.prepare(
      `update outage set flushed = flushed + ?, folded = folded + ?, conflicting = conflicting + ? where bot = ? and until_micros is null`,
    ),
    count: db.prepare("select count(*) as entries from entry where bot = ? and refused is null"),
    any: db.prepare("select 1 from entry limit 1"),
    end: db.prepare(
      `update outage set until_micros = ?1 where bot = ?2 and until_micros is null
         and not exists (select 1 from entry where bot = ?2 and refused is null)`,
    ),
    forget: db.prepare("delete from outage where id = ?"),
  };
}

function countsOf(db: DatabaseSync): { appended: number; removed: number } {
  const row = db.prepare("select appended, removed from tally").get();
  return { appended: Number(row?.appended), removed: Number(row?.removed) };
}
