import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../src/db/embedded/startEmbeddedPostgres.ts";
import type { PostgresConnection } from "./peers/postgres.ts";

/** A Postgres that both sides write to: the one the service carries, with its settings, fsync on. */
export interface Database extends AsyncDisposable {
  /** A database of the peers' own in the same cluster. */
  readonly peers: PostgresConnection;
}

/** Starts a new cluster in a temporary folder, and removes it in the end. */
export async function startDatabase(): Promise<Database> {
  await using started = new AsyncDisposableStack();
  const folder = started.use(await mkdtempDisposable(join(tmpdir(), "bench-")));
  const postgres = started.use(
    await startEmbeddedPostgres({
      dataDir: join(folder.path, "postgres"),
      logFile: join(folder.path, "postgres.log"),
    }),
  );
  const running = started.move();
  const { host, port, user, password } = postgres.superuser;
  return {
    peers: { host, port, user, password, database: "postgres" },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
