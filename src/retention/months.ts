import type pg from "pg";
import { textOfDay, textOfMicros } from "../time.ts";
import type { Spans } from "./retainDays.ts";
import { keptFromMicros, type Rule } from "./rules.ts";
import { heldSql, type PurgedTable } from "./tables.ts";

/** What the purge goes by, fixed when a run begins. */
export type Basis = {
  /** Days since 1970-01-01, UTC. */
  readonly todayDay: number;
  /** Which values of the rule's parameter were in force. */
  readonly spansOf: (rule: Rule) => Spans;
};

/** A month of one table. */
export type Month = {
  readonly table: PurgedTable;
  /** YYYY-MM. */
  readonly month: string;
  /** Microseconds; the next month's first. */
  readonly endMicros: number;
  readonly startMicros: number;
};

/** How many records lie in a month, and what becomes of them. */
export type Count = {
  readonly records: number;
  /** Past their retention. */
  readonly expired: number;
  /** Past it, and staying all the same: under a legal hold, or in force. */
  readonly held: number;
  /** Of those the ones that are in force. */
  readonly inForce: number;
  /** Without their place in the log, or not yet followed up. */
  readonly unplaced: number;
  /** The last day on which one of them is kept; undefined without any. */
  readonly untilDay: number | undefined;
};

type Queryable = Pick<pg.ClientBase, "query">;

export function monthOf(table: PurgedTable, month: string): Month {
  const [year = 0, number = 1] = month.split("-").map(Number);
  const startMicros = Date.UTC(year, number - 1, 1) * 1000;
  return { table, month, startMicros, endMicros: Date.UTC(year, number, 1) * 1000 };
}

/** The name of a month's partition, in its table's schema. */
export function partitionName({ table, month }: Month): string {
  return `${table.name}_${month.replace("-", "_")}`;
}

export type Partition = { readonly month: Month; readonly isPending: boolean };

/** The months that a table has partitions for, oldest first. */
export async function attachedMonths(client: Queryable, table: PurgedTable): Promise<readonly Partition[]> {
  const { rows } = await client.query<{ month: string; pending: boolean }>(
    `select replace(right(c.relname, 7), '_', '-') as month, i.inhdetachpending as pending
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = $1::regclass order by 1`,
    [table.name],
  );
  return rows.map((row) => ({ month: monthOf(table, row.month), isPending: row.pending }));
}

/** Months that a run which broke off had detached, and not moved out of reach yet. */
export async function strayMonths(client: Queryable, table: PurgedTable): Promise<readonly Month[]> {
  const { rows } = await client.query<{ month: string }>(
    `select replace(right(c.relname, 7), '_', '-') as month
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and not c.relispartition
       and n.nspname || '.' || c.relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$') order by 1`,
    [table.name],
  );
  return rows.map((row) => monthOf(table, row.month));
}

/** Whether no record of the month can be past its retention yet: nobody needs to look. */
export function isYoung(month: Month, { todayDay, spansOf }: Basis): boolean {
  const { rule } = month.table;
  const least = Math.min(...spansOf(rule).days);
  return rule.untilDay(month.startMicros, least) >= todayDay;
}

/** The last day on which a record accepted at the end of the month may be kept, by the floor alone. */
export function lastDayOf(month: Month): number {
  return month.table.rule.untilDay(month.endMicros - 1, 0);
}

type CountRow = {
  span: number;
  records: string;
  promised: number | null;
  last_micros: string;
  expired: string;
  held: string;
  in_force: string;
  unplaced: string;
};

/** SQL of a condition on the row `t`: past its retention. Takes the parameters of expiryValues. */
export function expiredSql(table: PurgedTable): string {
  const promised = table.promised === null ? "" : `t.${table.promised} < $3::date and `;
  return `(${promised}t.${table.time} < ($2::timestamptz[])[1 + width_bucket(t.${table.time}, $1::timestamptz[])])`;
}

/** $1 the breaks between spans, $2 for each span the time before which its records are past; $3 today, where promised. */
export function expiryValues(table: PurgedTable, { todayDay, spansOf }: Basis): unknown[] {
  const { breaksMicros, days } = spansOf(table.rule);
  return [
    breaksMicros.map(textOfMicros),
    days.map((value) => textOfMicros(Math.max(0, keptFromMicros(table.rule, value, todayDay)))),
    ...(table.promised === null ? [] : [textOfDay(todayDay)]),
  ];
}

/** Counts a month's records where they lie: one pass over them, which locks nobody out. */
export async function countRecords(
  client: Queryable,
  table: PurgedTable,
  relation: string,
  basis: Basis,
): Promise<Count> {
  const { rows: holds } = await client.query(
    "select from maintenance.hold_in_force where kind = $1 limit 1",
    [table.holds],
  );
  const expired = expiredSql(table);
  const inForce = table.inForce === null ? "false" : `${expired} and ${table.inForce(basis)}`;
  const held = holds.length === 0 ? "false" : heldSql(table);
  // offset 0: each row is asked once whether it is in force.
  const { rows } = await client.query<CountRow>(
    `select width_bucket(t.${table.time}, $1::timestamptz[]) as span, count(*)::text as records,
       ${table.promised === null ? "null::int" : `max(t.${table.promised}) - date '1970-01-01'`} as promised,
       (extract(epoch from max(t.${table.time})) * 1000000)::bigint::text as last_micros,
       count(*) filter (where ${expired})::text as expired,
       count(*) filter (where is_in_force or (${expired} and ${held}))::text as held,
       count(*) filter (where is_in_force)::text as in_force,
       ${table.isLogged ? `count(*) filter (where ${unplacedSql})` : "0"}::text as unplaced
     from (select t.*, ${inForce} as is_in_force from ${relation} t offset 0) t group by 1`,
    expiryValues(table, basis),
  );
  const sum = (pick: (row: CountRow) => string) => rows.reduce((total, row) => total + Number(pick(row)), 0);
  const { days } = basis.spansOf(table.rule);
  const until = rows.map((row) =>
    Math.max(row.promised ?? 0, table.rule.untilDay(Number(row.last_micros), days[row.span] ?? 0)),
  );
  return {
    records: sum((row) => row.records),
    expired: sum((row) => row.expired),
    held: sum((row) => row.held),
    inForce: sum((row) => row.in_force),
    unplaced: sum((row) => row.unplaced),
    untilDay: until.length === 0 ? undefined : Math.max(...until),
  };
}

const unplacedSql =
  "t.epoch = (select epoch from log.state) and t.xid >= (select least(followed, horizon) from log.state)";

/** What to do with a month. */
export type Decision =
  | { readonly kind: "leave" }
  /** Past its retention but for some records, or all of them are held. */
  | { readonly kind: "keep" }
  /** All of it goes. */
  | { readonly kind: "whole" }
  /** It goes, and what is held moves into a partition of its own, which may be empty. */
  | { readonly kind: "aside" };

/**
 * A month goes once every record in it is past its retention. `mayGrow`: records may still come that belong
 * into it, so a partition has to stay for them.
 */
export function decide(month: Month, count: Count, mayGrow: boolean, todayDay: number): Decision {
  const isPast = lastDayOf(month) < todayDay;
  if (count.records === 0) return { kind: isPast && !mayGrow ? "whole" : "leave" };
  if (count.expired < count.records || count.unplaced > 0) {
    return { kind: isPast && count.expired > 0 ? "keep" : "leave" };
  }
  if (count.inForce === count.records) return { kind: "leave" };
  if (count.held === count.records) return { kind: "keep" };
  return { kind: count.held > 0 || mayGrow ? "aside" : "whole" };
}
