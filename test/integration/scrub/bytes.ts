import type { TestDatabase } from "../../support/database.ts";

/** Every table of the database, the server's own too, and its partitions. */
async function allTables(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "superuser",
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and n.nspname !~ '^pg_toast' order by 1`,
  );
  return rows.map((row) => row.name);
}

/** The tables with a row that holds these characters in any column and any case. */
export async function tablesWith(database: TestDatabase, characters: string): Promise<string[]> {
  const tables = await allTables(database);
  // The values of columns as text: arrays, JSON, binary data in hexadecimal, and the planner's samples.
  const each = tables.map(
    (name, i) =>
      `select '${name}' as name where exists (select from ${name} t${i} where t${i}::text ilike $1)`,
  );
  const rows = await database.query<{ name: string }>("superuser", each.join(" union all "), [
    `%${characters}%`,
  ]);
  const plain = rows.map((row) => row.name);
  return [...new Set([...plain, ...(await jsonTablesWith(database, characters))])].toSorted();
}

/** The same inside JSON whose characters are escaped. */
async function jsonTablesWith(database: TestDatabase, characters: string): Promise<string[]> {
  const columns = await database.query<{ name: string; column: string }>(
    "superuser",
    `select format('%I.%I', n.nspname, c.relname) as name, quote_ident(a.attname) as column
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where c.relkind = 'r' and n.nspname !~ '^pg_' and a.attname ~ '_json$' and not a.attisdropped`,
  );
  const found: string[] = [];
  for (const { name, column } of columns) {
    const rows = await database.query<{ json: string | null }>(
      "superuser",
      `select ${column}::text as json from ${name}`,
    );
    const said = rows.map(({ json }) =>
      json === null ? "" : JSON.stringify(JSON.parse(json)).toLowerCase(),
    );
    if (said.some((text) => text.includes(characters))) found.push(name);
  }
  return found;
}
