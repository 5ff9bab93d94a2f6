import type { Place } from "./place.ts";
import type { LogHead } from "./sequencer.ts";

/** One page of records in the order of the log. */
export type Page = {
  readonly order: "oldest" | "newest";
  /** The record before the page; absent for the first page. */
  readonly after: Place | undefined;
  /** Only records below this horizon. */
  readonly through: LogHead;
  readonly limit: number;
};

/**
 * The conditions and the order of a page's query over a table with (epoch, xid, ord). Reading by place
 * never skips a record that committed late, and asks its index for exactly one page.
 */
export class PageQuery {
  readonly values: unknown[];
  readonly #where: string[];
  readonly #alias: string;
  readonly #page: Page;

  constructor(alias: string, page: Page) {
    this.#alias = alias;
    this.#page = page;
    this.values = [page.through.epoch, page.through.horizon, page.limit];
    this.#where = [`(${alias}.epoch, ${alias}.xid) < ($1::int, $2::text::xid8)`];
    if (page.after === undefined) return;
    this.values.push(page.after.epoch, page.after.xid, page.after.ord);
    const sign = page.order === "oldest" ? ">" : "<";
    this.#where.push(`(${alias}.epoch, ${alias}.xid, ${alias}.ord) ${sign} ($4::int, $5::text::xid8, $6::int)`);
  }

  /** Adds a condition on a text; null does not restrict. */
  text(value: string | null, condition: (parameter: string) => string): this {
    return this.#add(value, (parameter) => condition(`${parameter}::text`));
  }

  /** Restricts accepted_at to [from, to), microseconds; null does not restrict. */
  acceptedBetween(fromMicros: bigint | null, toMicros: bigint | null): this {
    const time = (parameter: string) => `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;
    this.#add(fromMicros, (parameter) => `${this.#alias}.accepted_at >= ${time(parameter)}`);
    return this.#add(toMicros, (parameter) => `${this.#alias}.accepted_at < ${time(parameter)}`);
  }

  #add(value: unknown, condition: (parameter: string) => string): this {
    if (value !== null) {
      this.values.push(value);
      this.#where.push(condition(`$${this.values.length}`));
    }
    return this;
  }

  /** "where … order by … limit …". */
  get tail(): string {
    const direction = this.#page.order === "oldest" ? "asc" : "desc";
    const order = ["epoch", "xid", "ord"].map((column) => `${this.#alias}.${column} ${direction}`);
    return `where ${this.#where.join(" and ")} order by ${order.join(", ")} limit $3`;
  }
}
