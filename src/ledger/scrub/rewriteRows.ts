import type pg from "pg";
import { sqlState } from "../../db/pool.ts";
import { type Replacements, replaceWallets, replaceWalletsInJson } from "../mentions.ts";
import type { ScrubbedTable, TextColumn } from "./tables.ts";

const batchRows = 1000;
const uniqueViolation = "23505";

type Found = { readonly place: string; readonly table: string; readonly values: readonly unknown[] };

/**
 * Replaces the wallet in every text of the rows that carry it, inside the caller's transaction. Answers how
 * many rows it changed.
 */
export async function rewriteRows(
  client: pg.ClientBase,
  table: ScrubbedTable,
  wallet: string,
  replacements: Replacements,
): Promise<number> {
  let rewritten = 0;
  for (const finder of table.finders) {
    // Forty hexadecimal digits need no quoting, and a cursor plans better with what it looks for.
    const condition = finder.replaceAll("$1", `'${wallet}'`).replaceAll("$2", `'0x${wallet}'`);
    await client.query(`declare found no scroll cursor for ${select(table, condition)}`);
    for (;;) {
      const { rows } = await client.query<unknown[]>({
        text: `fetch ${batchRows} from found`,
        rowMode: "array",
      });
      if (rows.length === 0) break;
      for (const [name, batch] of byTable(rows)) {
        rewritten += await rewriteBatch(client, name, table, batch, wallet, replacements);
      }
    }
    await client.query("close found");
  }
  return rewritten;
}

function select({ name, columns, moves }: ScrubbedTable, condition: string): string {
  const read = columns.map(({ name: column, kind }) =>
    kind === "json" ? `"${column}"::text` : `"${column}"`,
  );
  return `select tableoid::regclass::text, ctid::text, ${read.join(", ")} from ${name}
    where ${condition}${moves ? " for update" : ""}`;
}

/** A partitioned table's rows lie in several tables. */
function byTable(rows: readonly unknown[][]): Map<string, Found[]> {
  const tables = new Map<string, Found[]>();
  for (const [table, place, ...values] of rows) {
    const found = { table: String(table), place: String(place), values };
    tables.set(found.table, [...(tables.get(found.table) ?? []), found]);
  }
  return tables;
}

async function rewriteBatch(
  client: pg.ClientBase,
  name: string,
  { columns }: ScrubbedTable,
  batch: readonly Found[],
  wallet: string,
  replacements: Replacements,
): Promise<number> {
  const changed = batch.flatMap((row) => {
    const values = columns.map((column, i) => replaced(column, row.values[i], wallet, replacements));
    return values.every((value, i) => same(value, row.values[i])) ? [] : [{ place: row.place, values }];
  });
  if (changed.length === 0) return 0;
  await client.query("savepoint batch");
  try {
    await update(client, name, columns, changed);
  } catch (cause) {
    if (sqlState(cause) !== uniqueViolation) throw cause;
    await client.query("rollback to savepoint batch");
    for (const row of changed) await updateAlone(client, name, columns, row);
  }
  await client.query("release savepoint batch");
  return changed.length;
}

type Changed = { readonly place: string; readonly values: readonly unknown[] };

async function update(
  client: pg.ClientBase,
  name: string,
  columns: readonly TextColumn[],
  rows: readonly Changed[],
): Promise<void> {
  const names = columns.map((_, i) => `c${i}`);
  const set = columns.map(({ name: column, kind }, i) => `"${column}" = u.${names[i]}${cast[kind]}`);
  const arrays = columns.map((_, i) => `$${i + 2}::text[]`);
  await client.query({
    text: `update only ${name} t set ${set.join(", ")}
      from unnest($1::tid[], ${arrays.join(", ")}) as u (place, ${names.join(", ")}) where t.ctid = u.place`,
    values: [
      rows.map((row) => row.place),
      ...columns.map((_, i) => rows.map((row) => textOf(row.values[i]))),
    ],
  });
}

const cast = { text: "", "json text": "", json: "::jsonb", texts: "::text[]" } as const;

/** Arrays inside an array of texts have to be texts themselves. */
function textOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return `{${value.map((item) => `"${String(item).replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

/**
 * The rewritten row is there already: something came in under what stands for the wallet between its
 * closing and now, or two ids differed in nothing but the wallet's spelling. Rows that only say that
 * something is known need not say it twice; a key that guards a record keeps a name of its own.
 */
async function updateAlone(
  client: pg.ClientBase,
  name: string,
  columns: readonly TextColumn[],
  row: Changed,
): Promise<void> {
  await client.query("savepoint single");
  try {
    await update(client, name, columns, [row]);
  } catch (cause) {
    if (sqlState(cause) !== uniqueViolation) throw cause;
    await client.query("rollback to savepoint single");
    const merge = merges.get(name);
    if (name === "ledger.event_key") await update(client, name, columns, [ownKey(columns, row)]);
    else {
      if (merge !== undefined) await client.query(merge, [row.place, ...row.values]);
      await client.query(`delete from only ${name} where ctid = $1::tid`, [row.place]);
    }
  }
  await client.query("release savepoint single");
}

function ownKey(columns: readonly TextColumn[], { place, values }: Changed): Changed {
  const recordId = values[columns.findIndex((column) => column.name === "record_id")];
  return {
    place,
    values: values.map((value, i) => (columns[i]?.name === "event_id" ? `${value}#${recordId}` : value)),
  };
}

/** What the row that stays takes from the one that goes: $1 its place, then its rewritten texts. */
const merges: ReadonlyMap<string, string> = new Map([
  [
    "ledger.session_seen",
    `update ledger.session_seen s set seen = s.seen + old.seen,
       missing = int8multirange(int8range(0, upper(s.seen + old.seen))) - (s.seen + old.seen)
     from ledger.session_seen old where old.ctid = $1::tid and s.session_id = $2`,
  ],
  [
    "ledger.producer",
    `update ledger.producer p set last_offset = greatest(p.last_offset, old.last_offset)
     from ledger.producer old
     where old.ctid = $1::tid and p.stream = old.stream and (p.subject, p.stream_id) = ($2, $3)`,
  ],
]);

function replaced(column: TextColumn, value: unknown, wallet: string, replacements: Replacements): unknown {
  if (Array.isArray(value)) {
    if (column.name !== "mentions") return value.map((item) => replaceWallets(String(item), replacements));
    const left = value.filter((mention) => mention !== wallet);
    return left.length === 0 ? null : left;
  }
  if (typeof value !== "string") return value;
  return column.kind === "text"
    ? replaceWallets(value, replacements)
    : replaceWalletsInJson(value, replacements);
}

function same(a: unknown, b: unknown): boolean {
  return Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((x, i) => x === b[i])
    : a === b;
}
