import pg from "pg";
import type { Logger } from "pino";
import { notReady } from "./sockets.ts";

/** How to reach the database as one role. */
export type Connection = pg.PoolConfig;

/** What every session is held to. Milliseconds. */
export type SessionLimits = {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Off only where a lost commit would be made again with the same result. */
  readonly synchronousCommit?: "on" | "off";
};

/**
 * How the server notices that nobody is at the other end any more: what such a session holds (a transaction, the turn
 * to do something) is others' again within seconds, not after TCP's two hours.
 */
export const clientGone = [
  "idle_in_transaction_session_timeout=3000",
  "tcp_user_timeout=3000",
  "tcp_keepalives_idle=10",
  "tcp_keepalives_interval=5",
  "tcp_keepalives_count=3",
]
  .map((setting) => `-c ${setting}`)
  .join(" ");

/** For a session that holds a turn and is never idle for long: from a process that stands still it is taken after 30 s. */
export const turnGone = `${clientGone} -c idle_session_timeout=30000`;

/** The limits as the server takes them when a session begins. */
export function sessionOptions(limits: SessionLimits): string {
  const settings = [
    `statement_timeout=${limits.statementTimeoutMs}`,
    `lock_timeout=${limits.lockTimeoutMs}`,
    "timezone=UTC",
    // One plan a statement: making one for each of the first five calls takes far longer than it can save.
    "plan_cache_mode=force_generic_plan",
    `synchronous_commit=${limits.synchronousCommit ?? "on"}`,
  ];
  return `${settings.map((setting) => `-c ${setting}`).join(" ")} ${clientGone}`;
}

/** A new session plans each of its statements anew, over all months: an idle one is worth keeping. */
const idleMs = 10 * 60 * 1000;

/**
 * A pool whose sessions have explicit limits. Every value comes back as text or in the form the query
 * casts it to: node-pg's own timestamps lose the microseconds.
 */
export function createPool(options: {
  readonly connection: Connection;
  readonly name: string;
  readonly max: number;
  readonly limits: SessionLimits;
  readonly log: Logger;
}): pg.Pool {
  const pool = new pg.Pool({
    ...options.connection,
    application_name: `governance ${options.name}`,
    max: options.max,
    connectionTimeoutMillis: options.limits.connectTimeoutMs,
    idleTimeoutMillis: idleMs,
    options: sessionOptions(options.limits),
    keepAlive: true,
  });
  // An idle client whose server went away reports here; without a listener it would end the process.
  pool.on("error", (cause) => {
    const code = sqlState(cause);
    if (code !== notReady) options.log.warn({ pool: options.name, code }, "database connection lost");
  });
  return pool;
}

/** The SQLSTATE of a database error, or the code of a socket's; undefined for anything else. */
export function sqlState(cause: unknown): string | undefined {
  if (typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string")
    return cause.code;
  return undefined;
}
