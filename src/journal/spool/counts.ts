import type { NewEntry, SpoolBot } from "./entry.ts";

type Count = { records: number; bytes: number; oldestMicros: number | undefined };

/** What waits in the spool, kept beside it so that nobody has to ask its thread. */
export function createCounts() {
  const perBot = new Map<SpoolBot, Count>();
  const perJournal = new Map<string, number>();
  const of = (bot: SpoolBot): Count => {
    let count = perBot.get(bot);
    if (count === undefined) {
      count = { records: 0, bytes: 0, oldestMicros: undefined };
      perBot.set(bot, count);
    }
    return count;
  };
  return {
    found(
      bot: SpoolBot,
      journal: string,
      records: number,
      bytes: number,
      oldestMicros: number | undefined,
    ): void {
      const count = of(bot);
      count.records += records;
      count.bytes += bytes;
      if (oldestMicros !== undefined)
        count.oldestMicros = Math.min(oldestMicros, count.oldestMicros ?? oldestMicros);
      perJournal.set(journal, records);
    },
    add({ bot, journal, acceptedMicros, body }: NewEntry): void {
      const count = of(bot);
      count.records++;
      count.bytes += body.length;
      count.oldestMicros ??= acceptedMicros;
      perJournal.set(journal, (perJournal.get(journal) ?? 0) + 1);
    },
    remove({ bot, journal, acceptedMicros, body }: NewEntry): void {
      const count = of(bot);
      count.records--;
      count.bytes -= body.length;
      // What is left was taken later, so it is no older than what went.
      count.oldestMicros =
        count.records === 0 ? undefined : Math.max(acceptedMicros, count.oldestMicros ?? acceptedMicros);
      perJournal.set(journal, (perJournal.get(journal) ?? 1) - 1);
    },
    waiting: (journal: string): number => perJournal.get(journal) ?? 0,
    of: (bot: SpoolBot): Readonly<Count> => of(bot),
  };
}
