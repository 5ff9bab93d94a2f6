import { join } from "node:path";
import pg from "pg";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded/startEmbeddedPostgres.ts";
import { migrate } from "../../src/db/migrate.ts";
import type { TestDatabase } from "./database.ts";

/** A whole migrated cluster of a test's own, in this folder: to stop it, or to look into its files. */
export async function startOwnPostgres(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, "postgres"),
    logFile: join(folder, "postgres.log"),
    extraSettings: { fsync: "off", ...settings },
  });
  await migrate(postgres.admin, postgres.service.user);
  return postgres;
}

/** The cluster's database; disposing of it leaves the cluster alone. */
export function databaseOf(postgres: EmbeddedPostgres): TestDatabase {
  const url = (role: "superuser" | "admin" | "service") => {
    const { user, password, host, port, database } = postgres[role];
    return `postgresql://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`;
  };
  return {
    name: postgres.superuser.database,
    url,
    async query<Row extends pg.QueryResultRow>(
      role: "superuser" | "admin" | "service",
      text: string,
      values: unknown[] = [],
    ): Promise<Row[]> {
      const client = new pg.Client(postgres[role]);
      await client.connect();
      try {
        return (await client.query<Row>(text, values)).rows;
      } finally {
        await client.end();
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
