import type { DatabaseSync } from "node:sqlite";
import type { EndedOutage, Held, KeyCounts, Outage, SpoolBot } from "./entry.ts";
import { isBot } from "./schema.ts";

/** What a spool holds, by bot and journal. */
export function heldIn(db: DatabaseSync): readonly Held[] {
  const rows = db.prepare(
    `select bot, journal, count(*) filter (where refused is null) as entries,
       coalesce(sum(octet_length(body)) filter (where refused is null), 0) as bytes,
       coalesce(sum(octet_length(body)) filter (where refused is not null), 0) as refused_bytes,
       count(refused) as refused, min(accepted_micros) filter (where refused is null) as oldest_micros
     from entry group by bot, journal order by bot, journal`,
  );
  return rows.all().map((row) => ({
    bot: botOf(row.bot),
    journal: String(row.journal),
    entries: Number(row.entries),
    bytes: Number(row.bytes),
    refused: Number(row.refused),
    refusedBytes: Number(row.refused_bytes),
    oldestMicros: row.oldest_micros === null ? null : Number(row.oldest_micros),
  }));
}

/** The keys of all that waits. */
export function keyCountsIn(db: DatabaseSync): KeyCounts {
  const rows = db.prepare(
    `select key, count(*) as entries from (
       select order_key as key from entry where refused is null
       union all select own_key from entry where refused is null and own_key is not null
     ) group by key`,
  );
  return rows.all().map((row) => ({ key: Number(row.key), entries: Number(row.entries) }));
}

/** The outages that go on. */
export function outagesIn(db: DatabaseSync): readonly Outage[] {
  return db.prepare(`${outageText} where until_micros is null order by bot`).all().map(outageOf);
}

/** The outages that are over and not known to be on record. */
export function endedOutagesIn(db: DatabaseSync): readonly EndedOutage[] {
  const rows = db.prepare(`${outageText} where until_micros is not null order by id`).all();
  return rows.map((row) => ({ ...outageOf(row), untilMicros: Number(row.until_micros) }));
}

const outageText = `select bot, id, since_micros, until_micros, buffered, flushed, folded, conflicting, refused, lost
  from outage`;

function outageOf(row: Record<string, unknown>): Outage {
  return {
    bot: botOf(row.bot),
    id: String(row.id),
    sinceMicros: Number(row.since_micros),
    buffered: Number(row.buffered),
    flushed: Number(row.flushed),
    folded: Number(row.folded),
    conflicting: Number(row.conflicting),
    refused: Number(row.refused),
    lost: row.lost === null ? null : Number(row.lost),
  };
}

function botOf(text: unknown): SpoolBot {
  if (isBot(text)) return text;
  throw new Error("the spool names a bot that is none");
}
