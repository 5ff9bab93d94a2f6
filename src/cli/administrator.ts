import { join } from "node:path";
import { type Connection, sqlState } from "../db/pool.ts";
import { StartupError } from "../startupError.ts";

/**
 * Does something as the database's administrator: of DATABASE_ADMIN_URL, or of the embedded database, which runs as long
 * as it takes. Throws a StartupError, also while a service has the embedded one's folder.
 */
export async function asAdministrator<T>(
  env: NodeJS.ProcessEnv,
  work: (admin: Connection) => Promise<T>,
): Promise<T> {
  const { dataDir, databaseSettings } = await import("../config.ts");
  const database = databaseSettings(env);
  if (database.kind === "external") {
    if (database.adminUrl === undefined) {
      throw new StartupError(
        "DATABASE_ADMIN_URL: is not set; this is done as the administrator of the database",
      );
    }
    return await told(work({ connectionString: database.adminUrl }));
  }
  const { openDataFolder } = await import("../dataFolder.ts");
  const { startEmbeddedPostgres } = await import("../db/embedded/startEmbeddedPostgres.ts");
  await using folder = await openDataFolder(dataDir(env));
  const files = { dataDir: join(folder.path, "postgres"), logFile: join(folder.path, "postgres.log") };
  await using postgres = await startEmbeddedPostgres(files);
  return await told(work(postgres.admin));
}

/** What the database says goes to the administrator, in one line. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new StartupError(`DATABASE_ADMIN_URL: it failed (${sqlState(cause) ?? "no code"}): ${message}`, {
      cause,
    });
  }
}
