import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import pg from "pg";
import type { Config } from "../config.ts";
import { recordKeyId } from "../keys/recordKey.ts";
import { StartupError } from "../startupError.ts";
import { startEmbeddedPostgres } from "./embedded/startEmbeddedPostgres.ts";
import { cannotConnect, migrate } from "./migrate.ts";
import type { Connection } from "./pool.ts";
import { checkServiceRole } from "./roleCheck.ts";

export type Database = AsyncDisposable & {
  /** The service's own role: appends and reads. */
  readonly service: Connection;
  /** The administrator, who purges; undefined where none is configured. */
  readonly admin: Connection | undefined;
  /** Resolves with the reason when the embedded database ended by itself. */
  readonly failed: Promise<string>;
};

/**
 * A database of this version that the service's role can append to: the embedded one, started, or the
 * configured one. Migrates where the administrator is known. Throws a StartupError.
 */
export async function connectDatabase(config: Config, dataDir: string, key: KeyObject): Promise<Database> {
  await using starting = new AsyncDisposableStack();
  let service: Connection;
  let admin: Connection | undefined;
  let failed: Promise<string> = new Promise(() => undefined);
  if (config.database.kind === "embedded") {
    const postgres = starting.use(
      await startEmbeddedPostgres({
        dataDir: join(dataDir, "postgres"),
        logFile: join(dataDir, "postgres.log"),
      }),
    );
    service = postgres.service;
    admin = postgres.admin;
    failed = postgres.exited.then(
      ({ code, signal }) => `the embedded Postgres ended by itself (${signal ?? code})`,
    );
    await migrate(postgres.admin, postgres.service.user);
  } else {
    const { url, adminUrl } = config.database;
    service = { connectionString: url };
    const user = decodeURIComponent(new URL(url).username);
    if (adminUrl !== undefined) {
      admin = { connectionString: adminUrl };
      await migrate(admin, user);
    }
  }

  const pool = new pg.Pool({ ...service, max: 1, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => undefined); // The pending query fails with it.
  try {
    await checkServiceRole(pool);
    await checkLogEpoch(pool);
    await checkRecordKey(pool, key);
  } catch (cause) {
    throw cause instanceof StartupError ? cause : cannotConnect("DATABASE_URL", cause);
  } finally {
    await pool.end();
  }
  const running = starting.move();
  return { service, admin, failed, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/**
 * Content hashes made with another key would turn every repeated event into a conflict, so the database
 * remembers which key it was written with.
 */
async function checkRecordKey(pool: pg.Pool, key: KeyObject): Promise<void> {
  const id = recordKeyId(key);
  const { rows } = await pool.query<{ id: string }>("select maintenance.claim_record_key($1) as id", [id]);
  if (rows[0]?.id !== id) {
    throw new StartupError(
      `GOVERNANCE_SCRUB_KEY_FILE: this key is not the one that the database was written with (${rows[0]?.id}); all replicas need the same file`,
    );
  }
}

/**
 * Positions in the log follow the cluster's transaction ids. Records that were restored into another
 * cluster would take writes and never be readable, so the service says it at once.
 */
async function checkLogEpoch(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ same: boolean }>(
    "select s.system_identifier = c.system_identifier as same from log.state s, pg_control_system() c",
  );
  if (rows[0]?.same === false) {
    throw new StartupError(
      "the database: its records were restored from another cluster, whose log this version cannot go on with; use a copy of the data directory or a standby instead of a dump",
    );
  }
}
