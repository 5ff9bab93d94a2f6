import type { Held, NewEntry, SpoolBot } from "./entry.ts";

type Count = { records: number; bytes: number; refusedBytes: number; oldestMicros: number | undefined };

/** What a record takes of the spool's room. */
export function bytesOf({ body }: NewEntry): number {
  return Buffer.byteLength(body);
}

/** What waits in the spool, kept beside it so that nobody has to ask its thread. */
export function createCounts() {
  const perBot = new Map<SpoolBot, Count>();
  const perJournal = new Map<string, number>();
  const of = (bot: SpoolBot): Count => {
    let count = perBot.get(bot);
    if (count === undefined) {
      count = { records: 0, bytes: 0, refusedBytes: 0, oldestMicros: undefined };
      perBot.set(bot, count);
    }
    return count;
  };
  return {
    found({ bot, journal, entries, bytes, refusedBytes, oldestMicros }: Held): void {
      const count = of(bot);
      count.records += entries;
      count.bytes += bytes;
      count.refusedBytes += refusedBytes;
      if (oldestMicros !== null)
        count.oldestMicros = Math.min(oldestMicros, count.oldestMicros ?? oldestMicros);
      perJournal.set(journal, entries);
    },
    add(entry: NewEntry): void {
      const { bot, journal, acceptedMicros } = entry;
      const count = of(bot);
      count.records++;
      count.bytes += bytesOf(entry);
      count.oldestMicros ??= acceptedMicros;
      perJournal.set(journal, (perJournal.get(journal) ?? 0) + 1);
    },
    remove(entry: NewEntry): void {
      const { bot, journal, acceptedMicros } = entry;
      const count = of(bot);
      count.records--;
      count.bytes -= bytesOf(entry);
      // What is left was taken later, so it is no older than what went.
      count.oldestMicros =
        count.records === 0 ? undefined : Math.max(acceptedMicros, count.oldestMicros ?? acceptedMicros);
      perJournal.set(journal, (perJournal.get(journal) ?? 1) - 1);
    },
    /** It has left what waits, and still takes room. */
    refuse(entry: NewEntry): void {
      of(entry.bot).refusedBytes += bytesOf(entry);
    },
    waiting: (journal: string): number => perJournal.get(journal) ?? 0,
    of: (bot: SpoolBot): Readonly<Count> => of(bot),
  };
}
