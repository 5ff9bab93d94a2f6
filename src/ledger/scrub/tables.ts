import type pg from "pg";

/** A column that can hold a wallet's characters. */
export type TextColumn = { readonly name: string; readonly kind: "text" | "json text" | "json" | "texts" };

/** A table that a scrub goes through, and which of its rows it looks at. */
export type ScrubbedTable = {
  /** Quoted, with its schema. */
  readonly name: string;
  readonly columns: readonly TextColumn[];
  /** Conditions, each served by an index where the table grows: $1 the wallet's 40 digits, $2 as 0x…. */
  readonly finders: readonly string[];
  /** Without a wallet, mentions or an index of its own, every row is looked at. */
  readonly isReadWhole: boolean;
  /** Its rows are made from other rows by log.follow, which must not run meanwhile. */
  readonly isDerived: boolean;
  /** Others move its rows while the scrub reads them. */
  readonly moves: boolean;
};

/**
 * The auditor's history is of bots' settings and who set them, not of users; the log's entries and the
 * list of migrations hold no text from outside.
 */
const leftOut = ["auditor", "log", "governance"];

/** Ids that name wallets, in tables that have no column for mentions: as their partial indexes have it. */
const named = (ids: string) =>
  `(${ids}) ~* '(^|[^0-9a-f])(0{24})?[0-9a-f]{40}($|[^0-9a-f])' and (${ids}) ~* $1`;

const derived: ReadonlyMap<string, string> = new Map([
  ["fill_link", named("event_id || ' ' || session_id || ' ' || trace_id || ' ' || fill_id")],
  ["session_gap", named("session_id")],
  ["session_seen", named("session_id")],
  ["fill_trace", named("trace_id || ' ' || fill_id")],
  ["order_trace", named("order_id || ' ' || trace_id")],
  ["order_fill", named("order_id || ' ' || fill_id")],
  ["fill_alias", named("made_fill_id || ' ' || fill_id")],
]);

type Row = { schema: string; name: string; column: string; type: string };

/**
 * Every table with text in it, from the catalog, so that a new one is not forgotten. Partitions are reached
 * by way of their table; months that were detached and not dropped yet are tables of their own.
 */
export async function scrubbedTables(client: Pick<pg.ClientBase, "query">): Promise<ScrubbedTable[]> {
  const { rows } = await client.query<Row>(
    `select n.nspname as schema, c.relname as name, a.attname as column, t.typname as type
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     join pg_type t on t.oid = a.atttypid
     where c.relkind in ('r', 'p') and c.relpersistence = 'p'
       and (not c.relispartition or exists (select from pg_inherits where inhrelid = c.oid and inhdetachpending))
       and not (n.nspname = 'purged' and c.relname like 'auditor\\_%')
       and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public') and n.nspname <> all ($1)
       and t.typname in ('text', 'varchar', 'bpchar', 'name', 'json', 'jsonb', '_text', '_varchar')
     order by n.nspname, c.relname, a.attnum`,
    [leftOut],
  );
  const tables = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `"${row.schema}"."${row.name}"`;
    tables.set(key, [...(tables.get(key) ?? []), row]);
  }
  return [...tables].map(([name, columns]) => tableOf(name, columns));
}

/** The end of a month's name; once detached, the schema is before it and a number behind it. */
const ofMonth = /_\d{4}_\d\d(_\d+)?$/;

function tableOf(name: string, rows: readonly Row[]): ScrubbedTable {
  const columns = rows.map(({ column, type }) => ({ name: column, kind: kindOf(column, type) }));
  const [first] = rows;
  const derivedBy = first && derived.get(first.name.replace(ofMonth, "").replace(/^ledger_/, ""));
  const finders = findersOf(columns, derivedBy);
  return {
    name,
    columns,
    finders,
    isReadWhole: finders.includes(anyColumn(columns)),
    isDerived: derivedBy !== undefined,
    moves: first?.name === "producer",
  };
}

function kindOf(column: string, type: string): TextColumn["kind"] {
  if (type.startsWith("_")) return "texts";
  if (type.startsWith("json")) return "json";
  return column.endsWith("_json") ? "json text" : "text";
}

function findersOf(columns: readonly TextColumn[], derivedBy: string | undefined): string[] {
  const has = (name: string) => columns.some((column) => column.name === name);
  const byWallet = has("wallet") ? ["lower(wallet) = $2"] : [];
  if (derivedBy !== undefined) return [...byWallet, derivedBy];
  if (has("mentions")) return [...byWallet, "mentions @> array[$1]"];
  return [anyColumn(columns)];
}

function anyColumn(columns: readonly TextColumn[]): string {
  return columns.map(({ name }) => `"${name}"::text ~* $1`).join(" or ");
}
