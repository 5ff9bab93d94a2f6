import type { Place } from "./place.ts";
import type { LogHead } from "./sequencer.ts";

/**
 * The values in one page of a list, at most, but for its last record. An answer has each value as text
 * and as doubles, and may have their differences: it stays below the 4 MiB that gRPC clients take.
 */
export const listMaxBytes = 512 * 1024;

/** One page of records in the order of the log. */
export type Page = {
  readonly order: "oldest" | "newest";
  /** The record before the page; absent for the first page. */
  readonly after: Place | undefined;
  /** Only records below this horizon. */
  readonly through: LogHead;
  readonly limit: number;
  /** The page ends with the record whose values bring it to this many bytes, however few records it has. */
  readonly maxBytes: number;
};

export type FoundPage<T> = {
  readonly records: readonly T[];
  /** Whether the log may have more of them behind the page; false is certain. */
  readonly more: boolean;
};

/**
 * A page's query over a table with (epoch, xid, ord). Reading by place never skips a record that
 * committed late, and asks its index for exactly one page.
 */
export class PageQuery {
  readonly values: unknown[];
  readonly #where: string[];
  readonly #alias: string;
  readonly #page: Page;

  constructor(alias: string, page: Page) {
    this.#alias = alias;
    this.#page = page;
    // One record more than asked for tells whether there are more.
    this.values = [page.through.epoch, page.through.horizon, page.limit + 1];
    this.#where = [`(${alias}.epoch, ${alias}.xid) < ($1::int, $2::text::xid8)`];
    if (page.after === undefined) return;
    this.values.push(page.after.epoch, page.after.xid, page.after.ord);
    const sign = page.order === "oldest" ? ">" : "<";
    this.#where.push(
      `(${alias}.epoch, ${alias}.xid, ${alias}.ord) ${sign} ($4::int, $5::text::xid8, $6::int)`,
    );
  }

  /** Adds a condition on a text; null does not restrict. */
  where(value: string | null, condition: (parameter: string) => string): this {
    return this.#add(value, (parameter) => condition(`${parameter}::text`));
  }

  /** Restricts accepted_at, or the column that holds the time, to [from, to), microseconds; null does not restrict. */
  acceptedBetween(fromMicros: bigint | null, toMicros: bigint | null, column = "accepted_at"): this {
    const time = (parameter: string) =>
      `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;
    this.#add(fromMicros, (parameter) => `${this.#alias}.${column} >= ${time(parameter)}`);
    return this.#add(toMicros, (parameter) => `${this.#alias}.${column} < ${time(parameter)}`);
  }

  /** Adds a condition that has no parameter. */
  also(condition: string): this {
    this.#where.push(condition);
    return this;
  }

  #add(value: unknown, condition: (parameter: string) => string): this {
    if (value !== null) {
      this.values.push(value);
      this.#where.push(condition(`$${this.values.length}`));
    }
    return this;
  }

  /**
   * The statement. `bytes` is an SQL expression of the bytes of a record's values. Each row gets
   * page_bytes: those of all rows up to and with it.
   */
  text(select: { readonly columns: string; readonly from: string; readonly bytes: string }): string {
    const direction = this.#page.order === "oldest" ? "asc" : "desc";
    const order = ["epoch", "xid", "ord"].map((column) => `${this.#alias}.${column} ${direction}`).join(", ");
    return `select * from (
        select ${select.columns}, ${select.bytes} as own_bytes,
          (sum(${select.bytes}) over (order by ${order} rows unbounded preceding))::int as page_bytes
        from ${select.from} where ${this.#where.join(" and ")} order by ${order} limit $3
      ) as page where page_bytes - own_bytes < ${this.#page.maxBytes}`;
  }

  /** The rows of the statement as a page. */
  page<Row extends { readonly page_bytes: number }, T>(
    rows: readonly Row[],
    record: (row: Row) => T,
  ): FoundPage<T> {
    const { limit, maxBytes } = this.#page;
    const cut = (rows.at(-1)?.page_bytes ?? 0) >= maxBytes;
    return { records: rows.slice(0, limit).map(record), more: rows.length > limit || cut };
  }
}
