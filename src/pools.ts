import type pg from "pg";
import type { Logger } from "pino";
import type { Limits } from "./config.ts";
import { type Connection, createPool } from "./db/pool.ts";

/** The service's sessions on the database, beside those of its journals. */
export type Pools = AsyncDisposable & {
  readonly read: pg.Pool;
  /** The sequencer's, which may commit asynchronously, and the question whether the database is there. */
  readonly log: pg.Pool;
  /** Changes of the bots' parameters. */
  readonly config: pg.Pool;
  /** Follows the bots' parameters. */
  readonly settings: pg.Pool;
  /** The stream of reports: who reads all of the log is not in the way of others. */
  readonly reports: pg.Pool;
  /** Looks through the log for alerts, holding on to its session. */
  readonly alerts: pg.Pool;
};

export function openPools(options: {
  readonly connection: Connection;
  readonly limits: Limits;
  readonly log: Logger;
}): Pools {
  const { connection, limits, log } = options;
  const session = {
    statementTimeoutMs: limits.readStatementTimeoutMs,
    lockTimeoutMs: limits.readStatementTimeoutMs,
    connectTimeoutMs: limits.connectTimeoutMs,
  };
  const shortSession = {
    statementTimeoutMs: limits.configStatementTimeoutMs,
    lockTimeoutMs: limits.configStatementTimeoutMs,
    connectTimeoutMs: limits.configStatementTimeoutMs,
  };
  // Nobody waits for ever on a connection that says nothing; whoever follows the parameters, not long.
  const ending = { ...connection, query_timeout: limits.readStatementTimeoutMs + limits.connectTimeoutMs };
  const answering = { ...connection, query_timeout: limits.configAnswerWithinMs };
  const pools = {
    read: createPool({ connection: ending, name: "read", max: limits.readConnections, limits: session, log }),
    log: createPool({
      connection: ending,
      name: "log",
      max: 2,
      limits: { ...session, synchronousCommit: "off" },
      log,
    }),
    config: createPool({ connection: answering, name: "config", max: 1, limits: shortSession, log }),
    settings: createPool({ connection: answering, name: "settings", max: 1, limits: shortSession, log }),
    reports: createPool({
      connection: { ...connection, query_timeout: limits.reportAnswerWithinMs },
      name: "reports",
      max: limits.reportConnections,
      limits: session,
      log,
    }),
    alerts: createPool({
      connection: { ...connection, query_timeout: limits.reportAnswerWithinMs },
      name: "alerts",
      max: 1,
      limits: session,
      log,
    }),
  };
  return {
    ...pools,
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(pools).map((pool) => pool.end()));
    },
  };
}
