import type pg from "pg";
import { read } from "../db/read.ts";
import type { Report, Topic } from "./item.ts";

/** An entry of the log: the place of a record. */
export type Entry = {
  readonly epoch: number;
  readonly position: number;
  /** Which table it is in: see log.entry and 0016_report_sources.sql. */
  readonly source: string;
  /** A transaction id; a decimal string, as it is 64 bits wide. */
  readonly xid: string;
  readonly ord: number;
  readonly micros: number;
};

/** The records of some entries, by `keyOf`, as far as they fit. */
export type Found = {
  readonly reports: ReadonlyMap<string, { readonly reports: readonly Report[]; readonly bytes: number }>;
  /** The last record, when those behind it did not fit; undefined when what is not here is not there. */
  readonly cutBehind: { readonly xid: string; readonly ord: number } | undefined;
};

/** Where the log's entries of one kind are read from, and what is reported of them. */
export type Source = {
  readonly topic: Topic;
  /** The records of the entries, all of this kind and in order; maxBytes of values, but the first always. */
  read(pool: pg.Pool, entries: readonly Entry[], maxBytes: number): Promise<Found>;
};

export function keyOf(place: { readonly xid: string; readonly ord: number }): string {
  return `${place.xid} ${place.ord}`;
}

export const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint::text`;

type Common = { readonly xid: string; readonly ord: number; readonly page_bytes: string };

/** Reads a stretch of one table by its index of commit order; `t` is the table. */
export function defineSource<Row extends pg.QueryResultRow>(definition: {
  readonly topic: Topic;
  readonly columns: string;
  /** With the alias t. */
  readonly from: string;
  /** The column that partitions the table, where it is the time of the log's entry: others months are left out. */
  readonly time?: string;
  /** The bytes of a record's values, as SQL. */
  readonly bytes?: string;
  readonly render: (row: Row, entry: Entry) => readonly Report[];
}): Source {
  const { topic, columns, from, time, bytes = "0" } = definition;
  const within =
    time === undefined
      ? ""
      : `and t.${time} between timestamptz 'epoch' + $6::bigint * interval '1 microsecond'
           and timestamptz 'epoch' + $7::bigint * interval '1 microsecond'`;
  const text = `select * from (
      select t.xid::text as xid, t.ord, ${columns}, ${bytes} as own_bytes,
        sum(${bytes}) over (order by t.xid, t.ord rows unbounded preceding) as page_bytes
      from ${from}
      where (t.epoch, t.xid, t.ord) >= ($1::int, $2::text::xid8, $3::int)
        and (t.epoch, t.xid, t.ord) <= ($1::int, $4::text::xid8, $5::int) ${within}
    ) as page where page_bytes - own_bytes < $${time === undefined ? 6 : 8}::bigint order by page.xid::xid8, page.ord`;

  return {
    topic,
    async read(pool, entries, maxBytes) {
      const first = entries[0];
      const last = entries.at(-1);
      if (first === undefined || last === undefined) return { reports: new Map(), cutBehind: undefined };
      const values: unknown[] = [first.epoch, first.xid, first.ord, last.xid, last.ord];
      if (time !== undefined) {
        const times = entries.map((entry) => entry.micros);
        values.push(Math.min(...times), Math.max(...times));
      }
      const rows = await read<Row & Common>(pool, { text, values: [...values, maxBytes] });
      const asked = new Map(entries.map((entry) => [keyOf(entry), entry]));
      const reports = new Map<string, { reports: readonly Report[]; bytes: number }>();
      let before = 0;
      for (const row of rows) {
        const entry = asked.get(keyOf(row));
        const upTo = Number(row.page_bytes);
        if (entry !== undefined) {
          reports.set(keyOf(row), { reports: definition.render(row, entry), bytes: upTo - before });
        }
        before = upTo;
      }
      const end = rows.at(-1);
      return { reports, cutBehind: end !== undefined && before >= maxBytes ? end : undefined };
    },
  };
}
