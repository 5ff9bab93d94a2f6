import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { StartupError } from "../startupError.ts";
import { type Connection, sqlState, turnGone } from "./pool.ts";

const folder = new URL("./migrations/", import.meta.url);

export type Migration = {
  readonly name: string;
  readonly sql: string;
  /** The number of the last migration of the oldest version that goes on with this one; undefined: none does. */
  readonly servesFrom: string | undefined;
};

/** A migration as a database remembers it. */
export type Applied = { readonly name: string; readonly serves_from: string | null };

/** The migrations of this version, in order. */
export function migrations(): readonly Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(new URL(name, folder), "utf8");
      return { name, sql, servesFrom: /^-- serves-from: (\d{4})$/m.exec(sql)?.[1] };
    });
}

/** Any number that all versions share: one migrates at a time, the others wait and find it done. */
const migrationLock = 7_163_510_142;

/** Nobody waits for longer behind a migration that waits for a lock: less than a verdict has for its commit. */
const lockTimeoutMs = 100;
const lockPauseMs = 250;
/** How long it is tried while others keep their locks. */
const lockPatienceMs = 60_000;
/** The lock is held by somebody; two waited for each other. */
const lockedOut = new Set(["55P03", "40P01"]);

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
    options: turnGone,
  });
  client.on("error", () => undefined); // The pending query fails with it.
  try {
    await client.connect();
  } catch (cause) {
    throw cannotConnect("DATABASE_ADMIN_URL", cause);
  }
  try {
    await client.query("select pg_advisory_lock($1)", [migrationLock]);
    await prepareTable(client);
    const done = await appliedMigrations(client);
    refuseNewer(done);
    const ran: string[] = [];
    for (const migration of migrations()) {
      if (done.some(({ name }) => name === migration.name)) continue;
      await patiently(client, async () => {
        await client.query(migration.sql);
        await client.query("insert into governance.migration (name, serves_from) values ($1, $2)", [
          migration.name,
          migration.servesFrom,
        ]);
      });
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

/**
 * Runs it in a transaction that waits for locks only briefly, again and again: whoever waits for a lock lets nobody
 * else have it, so a reader that takes its time would stop everybody who writes.
 */
async function patiently(client: pg.Client, work: () => Promise<void>): Promise<void> {
  const giveUpMs = performance.now() + lockPatienceMs;
  for (;;) {
    try {
      await client.query("begin");
      await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
      await work();
      await client.query("commit");
      return;
    } catch (cause) {
      if (!lockedOut.has(sqlState(cause) ?? "") || performance.now() > giveUpMs) throw cause;
      await client.query("rollback");
      await sleep(lockPauseMs);
    }
  }
}

/**
 * Throws a StartupError when a migration was applied that this version does not know, unless the migration says that
 * it goes on with this version.
 */
export function refuseNewer(applied: readonly Applied[]): void {
  const known = migrations();
  const latest = known.at(-1)?.name ?? "";
  const newer = applied.find(
    ({ name, serves_from: from }) =>
      !known.some((migration) => migration.name === name) && (from === null || latest.slice(0, 4) < from),
  )?.name;
  if (newer !== undefined) {
    throw new StartupError(
      `the database was migrated by a newer version (${newer}); run that version, or a newer one`,
    );
  }
}

async function prepareTable(client: pg.Client): Promise<void> {
  await client.query("create schema if not exists governance");
  await client.query(
    "create table if not exists governance.migration (name text primary key, applied_at timestamptz not null default now(), serves_from text)",
  );
  const { rowCount } = await client.query(
    "select from pg_attribute where attrelid = 'governance.migration'::regclass and attname = 'serves_from'",
  );
  if (rowCount === 0) {
    await patiently(client, async () => {
      await client.query("alter table governance.migration add column serves_from text");
    });
  }
  await client.query("grant usage on schema governance to public");
  await client.query("grant select on governance.migration to public");
}

/** What the database was migrated by, in order; also where an older version made the table. */
export async function appliedMigrations(queries: Pick<pg.ClientBase, "query">): Promise<readonly Applied[]> {
  const { rows } = await queries.query<Applied>(
    "select name, to_jsonb(m) ->> 'serves_from' as serves_from from governance.migration m order by name",
  );
  return rows;
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
