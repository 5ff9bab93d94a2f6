import { join } from "node:path";
import type { Logger } from "pino";
import type { Config } from "../config.ts";
import { type KeptPostgres, keepPostgres } from "./embedded/keepPostgres.ts";
import type { Connection } from "./pool.ts";
import { createSockets } from "./sockets.ts";

/** How to reach the database, which need not be there. */
export type Database = {
  /** The service's own role: appends and reads. Refused, as if the database were away, until `admit`. */
  readonly service: Connection;
  /** The administrator, who purges; undefined where none is configured. Refused likewise. */
  readonly admin: Connection | undefined;
  /** The same, at once: to prepare the database, and to see whether it is there. */
  readonly unchecked: { readonly service: Connection; readonly admin: Connection | undefined };
  /** The role that `service` connects as. */
  readonly serviceRole: string;
  /** Says that the database was found right. */
  admit(): void;
  /** Ends all connections, answered or not, `withinMs` from now. */
  letGo(withinMs: number): void;
  /** Resolves with the reason when the embedded database ended and cannot be started again. */
  readonly failed: Promise<string>;
  /** Ends all connections at once; the embedded database is stopped in `withinMs` at most. */
  close(withinMs: number): Promise<void>;
};

/**
 * The configured database, or the embedded one, started and kept running. Throws a StartupError when the
 * embedded one does not start.
 */
export async function openDatabase(config: Config, dataDir: string, log: Logger): Promise<Database> {
  let postgres: KeptPostgres | undefined;
  if (config.database.kind === "embedded") {
    postgres = await keepEmbedded(dataDir, log);
  }
  const { service, admin, serviceRole } = connectionsOf(config, postgres);
  const sockets = createSockets();
  let cutting: NodeJS.Timeout | undefined;
  return {
    service: sockets.gated(service),
    admin: admin && sockets.gated(admin),
    unchecked: { service: sockets.tracked(service), admin: admin && sockets.tracked(admin) },
    serviceRole,
    admit: sockets.admit,
    letGo(withinMs) {
      cutting ??= setTimeout(sockets.cut, withinMs);
    },
    failed: postgres?.failed ?? new Promise(() => undefined),
    async close(withinMs) {
      clearTimeout(cutting);
      sockets.cut();
      await postgres?.stop(withinMs);
    },
  };
}

/** Starts the embedded Postgres of a data folder, and keeps it running. Throws a StartupError. */
export function keepEmbedded(
  dataDir: string,
  log: Logger,
  extraSettings: Readonly<Record<string, string>> = {},
): Promise<KeptPostgres> {
  const files = { dataDir: join(dataDir, "postgres"), logFile: join(dataDir, "postgres.log") };
  return keepPostgres({ ...files, extraSettings }, log);
}

function connectionsOf(config: Config, postgres: KeptPostgres | undefined) {
  if (config.database.kind === "external") {
    const { url, adminUrl } = config.database;
    return {
      service: { connectionString: url },
      admin: adminUrl === undefined ? undefined : { connectionString: adminUrl },
      serviceRole: decodeURIComponent(new URL(url).username),
    };
  }
  if (postgres === undefined) throw new Error("the embedded Postgres was not started");
  return { service: postgres.service, admin: postgres.admin, serviceRole: postgres.service.user };
}
