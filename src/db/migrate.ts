import { readdirSync, readFileSync } from "node:fs";
import pg from "pg";
import { StartupError } from "../startupError.ts";
import { type Connection, sqlState } from "./pool.ts";

const folder = new URL("./migrations/", import.meta.url);

/** The migrations of this version, in order. */
export function migrations(): readonly { readonly name: string; readonly sql: string }[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name) => ({ name, sql: readFileSync(new URL(name, folder), "utf8") }));
}

/** Any number that all versions share: one migrates at a time, the others wait and find it done. */
const migrationLock = 7_163_510_142;

/**
 * Brings the database to this version as the administrator, each migration in a transaction of its
 * own, and lets the service's role write. Answers the names of those it ran. Safe under concurrent
 * starts. Throws a StartupError when the database belongs to a newer version or cannot be reached.
 */
export async function migrate(
  admin: Connection,
  serviceRole: string,
  connectWithinMs = 5_000,
): Promise<readonly string[]> {
  const client = new pg.Client({
    ...admin,
    application_name: "governance migrate",
    connectionTimeoutMillis: connectWithinMs,
    keepAlive: true, // Somebody else's migration may be waited for, but not on a connection that is gone.
  });
  client.on("error", () => undefined); // The pending query fails with it.
  try {
    await client.connect();
  } catch (cause) {
    throw cannotConnect("DATABASE_ADMIN_URL", cause);
  }
  try {
    await client.query("select pg_advisory_lock($1)", [migrationLock]);
    const done = await appliedMigrations(client);
    const known = migrations();
    refuseNewer(done);
    const ran: string[] = [];
    for (const migration of known) {
      if (done.includes(migration.name)) continue;
      await client.query("begin");
      await client.query(migration.sql);
      await client.query("insert into governance.migration (name) values ($1)", [migration.name]);
      await client.query("commit");
      ran.push(migration.name);
    }
    await client.query(`grant governance_writer to ${pg.escapeIdentifier(serviceRole)}`);
    return ran;
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new StartupError(
      `DATABASE_ADMIN_URL: migrating failed (${sqlState(cause) ?? "no code"}): ${message}`,
      { cause },
    );
  } finally {
    await client.end();
  }
}

/** Throws a StartupError when a migration was applied that this version does not know. */
export function refuseNewer(applied: readonly string[]): void {
  const known = migrations();
  const newer = applied.find((name) => !known.some((migration) => migration.name === name));
  if (newer !== undefined) {
    throw new StartupError(
      `the database was migrated by a newer version (${newer}); run that version, or a newer one`,
    );
  }
}

async function appliedMigrations(client: pg.Client): Promise<string[]> {
  await client.query("create schema if not exists governance");
  await client.query(
    "create table if not exists governance.migration (name text primary key, applied_at timestamptz not null default now())",
  );
  await client.query("grant usage on schema governance to public");
  await client.query("grant select on governance.migration to public");
  const { rows } = await client.query<{ name: string }>(
    "select name from governance.migration order by name",
  );
  return rows.map((row) => row.name);
}

/** A StartupError for a database that cannot be reached, without what its URL holds. */
export function cannotConnect(setting: string, cause: unknown): StartupError {
  const state = sqlState(cause);
  const why = connectProblems.get(state ?? "") ?? (cause instanceof Error ? cause.message : "unknown");
  return new StartupError(`${setting}: cannot connect (${state ?? "no code"}): ${why}`, { cause });
}

const connectProblems = new Map([
  ["ECONNREFUSED", "nothing listens there"],
  ["ENOTFOUND", "the host is not known"],
  ["28P01", "the password is wrong"],
  ["28000", "the role may not log in this way"],
  ["3D000", "there is no such database"],
]);
