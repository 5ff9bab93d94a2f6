import type pg from "pg";
import { StartupError } from "../startupError.ts";
import { type Applied, appliedMigrations, migrations, refuseNewer } from "./migrate.ts";
import { sqlState } from "./pool.ts";

/** Refuses a schema of a version that this one does not go on with. Throws a StartupError that says what to do. */
export async function checkVersion(pool: Pick<pg.ClientBase, "query">): Promise<void> {
  const applied = await appliedMigrations(pool).catch((cause: unknown): readonly Applied[] => {
    if (/^(42P01|3F000)$/.test(sqlState(cause) ?? "")) return []; // Nobody ever migrated it.
    throw cause;
  });
  const missing = migrations().find((migration) => !applied.some((row) => row.name === migration.name));
  if (missing !== undefined) {
    throw new StartupError(
      `DATABASE_URL: the database lacks migration ${missing.name}; set DATABASE_ADMIN_URL, or run: governance migrate`,
    );
  }
  refuseNewer(applied);
}

/**
 * Refuses to serve with a database role that could rewrite history, or a schema of another version.
 * Throws a StartupError that says what to do.
 */
export async function checkServiceRole(pool: Pick<pg.ClientBase, "query">): Promise<void> {
  await checkVersion(pool);
  const { rows } = await pool.query<{ role: string; can: string[] }>(rewritable);
  const row = rows[0];
  if (row !== undefined && row.can.length > 0) {
    throw new StartupError(
      `DATABASE_URL: its role ${row.role} could rewrite ${row.can.join(", ")}; give the service a login role of its own that is not a superuser, an owner or the administrator`,
    );
  }
}

/** What the role could rewrite, by its own rights or those of any role it can become; the first three. */
const rewritable = `
  select current_user as role, coalesce((array_agg(distinct t.oid::regclass::text))[1:3], '{}') as can
  from pg_roles r, pg_class t join pg_namespace n on n.oid = t.relnamespace
  where pg_has_role(r.oid, 'MEMBER')
    and n.nspname in ('ledger', 'auditor', 'log', 'access') and t.relkind in ('r', 'p')
    -- Bookmarks and what replicas say of themselves: no records. Of those of a later version the owner says so.
    and t.oid not in ('ledger.producer'::regclass, 'log.replica'::regclass, 'log.alert_cursor'::regclass,
      'log.bus_source'::regclass, 'log.bus_reports'::regclass)
    and coalesce(obj_description(t.oid, 'pg_class'), '') not like 'moves: %'
    and (r.rolsuper or r.rolcreaterole or has_table_privilege(r.oid, t.oid, 'UPDATE, DELETE, TRUNCATE'))`;
