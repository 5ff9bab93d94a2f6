import pg from "pg";
import type { Logger } from "pino";
import { type Connection, sqlState, turnGone } from "../db/pool.ts";
import { Failure } from "../server/failure.ts";

/**
 * Opens the administrator's connection for one run, as the owner of the tables. Throws PURGE_REFUSED when the
 * administrator may not act as the owner, and the database's own error when it is away.
 */
export async function connectAdministrator(admin: Connection, log: Logger): Promise<pg.Client> {
  const client = new pg.Client({
    ...admin,
    application_name: "governance purge",
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    // A run whose process died must not keep its lock: the server looks whether anybody is there still.
    options: `-c timezone=UTC -c lock_timeout=1000 -c client_connection_check_interval=1000 ${turnGone}`,
  });
  // The pending statement fails with it; the run ends and the next one goes on.
  client.on("error", (cause) => log.warn({ code: sqlState(cause) }, "the purge's connection was lost"));
  try {
    await client.connect();
    await client.query("set role governance_owner");
    return client;
  } catch (cause) {
    await client.end();
    if (sqlState(cause) !== "42501") throw cause;
    const text =
      "the role of DATABASE_ADMIN_URL is not the one that migrated: it may not act as governance_owner";
    throw new Failure("PURGE_REFUSED", text, { cause });
  }
}
