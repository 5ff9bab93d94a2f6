import { randomBytes } from "node:crypto";
import pg from "pg";
import { testCluster } from "./cluster.ts";

/** A migrated database of a test's own in the shared cluster. */
export type TestDatabase = AsyncDisposable & {
  readonly name: string;
  /** A connection URL as the role. */
  url(role: "superuser" | "admin" | "service"): string;
  /** Runs a statement as the role, on a connection of its own. */
  query<Row extends pg.QueryResultRow>(
    role: "superuser" | "admin" | "service",
    text: string,
    values?: unknown[],
  ): Promise<Row[]>;
};

export async function createTestDatabase(): Promise<TestDatabase> {
  const cluster = testCluster();
  const name = `test_${randomBytes(6).toString("hex")}`;
  const url = (role: "superuser" | "admin" | "service", database = name) => {
    const { user, password } = cluster[role];
    const host = encodeURIComponent(cluster.host);
    return `postgresql://${user}:${encodeURIComponent(password)}@${host}:${cluster.port}/${database}`;
  };
  async function run<Row extends pg.QueryResultRow>(
    connectionString: string,
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }
  const maintenance = url("superuser", "postgres");
  // A template that somebody is connected to cannot be cloned; two tests may try at the same moment.
  for (let attempt = 1; ; attempt++) {
    try {
      await run(
        maintenance,
        `create database ${name} template ${cluster.template} owner ${cluster.admin.user}`,
      );
      break;
    } catch (cause) {
      if (attempt === 20) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
    }
  }
  return {
    name,
    url,
    query: (role, text, values) => run(url(role), text, values),
    async [Symbol.asyncDispose]() {
      await run(maintenance, `drop database ${name} with (force)`);
    },
  };
}
