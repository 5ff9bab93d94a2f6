import type pg from "pg";
import { StartupError } from "../startupError.ts";
import { migrations } from "./migrate.ts";

const appendOnly = ["ledger.user_action", "ledger.event_key", "ledger.conflict", "auditor.parameter_change", "auditor.write_key", "log.entry", "access.read_log"];

/**
 * Refuses to serve with a database role that could rewrite history, or a schema of another version.
 * Throws a StartupError that says what to do.
 */
export async function checkServiceRole(pool: pg.Pool): Promise<void> {
  const { rows: applied } = await pool.query<{ name: string }>(
    `select name from governance.migration order by name`,
  ).catch((cause: unknown) => {
    if (typeof cause === "object" && cause !== null && "code" in cause && (cause.code === "42P01" || cause.code === "3F000")) return { rows: [] };
    throw cause;
  });
  const missing = migrations().find((migration) => !applied.some((row) => row.name === migration.name));
  if (missing !== undefined) {
    throw new StartupError(`DATABASE_URL: the database lacks migration ${missing.name}; set DATABASE_ADMIN_URL, or run: governance migrate`);
  }
  const { rows } = await pool.query<{ role: string; can: string | null }>(
    `select current_user as role, (
       select string_agg(t.name, ', ') from unnest($1::text[]) as t (name)
       where has_table_privilege(t.name, 'UPDATE') or has_table_privilege(t.name, 'DELETE') or has_table_privilege(t.name, 'TRUNCATE')
          or pg_has_role('governance_owner', 'MEMBER')
     ) as can`,
    [appendOnly],
  );
  const row = rows[0];
  if (row?.can != null) {
    throw new StartupError(
      `DATABASE_URL: its role ${row.role} could rewrite ${row.can}; give the service a login role of its own that is not a superuser, an owner or the administrator`,
    );
  }
}
