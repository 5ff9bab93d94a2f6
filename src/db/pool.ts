import pg from "pg";
import type { Logger } from "pino";

/** How to reach the database as one role. */
export type Connection = pg.PoolConfig;

/**
 * A pool whose sessions have explicit limits. Milliseconds. Every value comes back as text or in the
 * form the query casts it to: node-pg's own timestamps lose the microseconds.
 */
export function createPool(options: {
  readonly connection: Connection;
  readonly name: string;
  readonly max: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly synchronousCommit?: "on" | "off";
  readonly log: Logger;
}): pg.Pool {
  const settings = [
    `statement_timeout=${options.statementTimeoutMs}`,
    `lock_timeout=${options.lockTimeoutMs}`,
    "idle_in_transaction_session_timeout=10000",
    "timezone=UTC",
    ...(options.synchronousCommit === "off" ? ["synchronous_commit=off"] : []),
  ];
  const pool = new pg.Pool({
    ...options.connection,
    application_name: `governance ${options.name}`,
    max: options.max,
    connectionTimeoutMillis: options.connectTimeoutMs,
    options: settings.map((setting) => `-c ${setting}`).join(" "),
    keepAlive: true,
  });
  // An idle client whose server went away reports here; without a listener it would end the process.
  pool.on("error", (cause) => options.log.warn({ pool: options.name, code: sqlState(cause) }, "database connection lost"));
  return pool;
}

/** The SQLSTATE of a database error, or the code of a socket's; undefined for anything else. */
export function sqlState(cause: unknown): string | undefined {
  if (typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string") return cause.code;
  return undefined;
}
