import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { PostgresConnection } from "./postgres.ts";

/** Throws, with a line that says what to install, when there is no psql here. */
export async function requirePsql(): Promise<void> {
  try {
    await promisify(execFile)("psql", ["--version"]);
  } catch (cause) {
    throw new Error("psql is missing: install Debian's package postgresql-client", { cause });
  }
}

/** Runs one command of psql's, and says how many seconds it took from start to end. */
export async function psql(connection: PostgresConnection, command: string): Promise<number> {
  const { host, port, user, password, database } = connection;
  const started = performance.now();
  await promisify(execFile)(
    "psql",
    [
      ...["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--host", host, "--port", String(port)],
      ...["--username", user, "--command", command, database],
    ],
    { env: { ...process.env, ...(password === undefined ? {} : { PGPASSWORD: password }) } },
  );
  return (performance.now() - started) / 1000;
}
