import type { TestDatabase } from "./database.ts";

/**
 * Leaves the database as a dump of it is in a new cluster: of another identifier, and its transactions behind those that
 * the rows were written by.
 */
export async function asRestored(database: TestDatabase): Promise<void> {
  const columns = await database.query<{ table: string; column: string }>(
    "superuser",
    `select attrelid::regclass::text as table, quote_ident(attname) as column
     from pg_attribute join pg_class c on c.oid = attrelid
     where atttypid = 'xid8'::regtype and attnum > 0 and c.relkind in ('r', 'p') and not c.relispartition`,
  );
  const raise = columns.map(
    ({ table, column }) =>
      `update ${table} set ${column} = (${column}::text::numeric + 1000000000)::text::xid8 where ${column} <> '0'`,
  );
  await database.query(
    "superuser",
    `begin; set local role governance_owner; set local governance.maintenance = 'on'; ${raise.join("; ")};
     update log.state set system_identifier = system_identifier + 1; commit`,
  );
}
