import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../src/db/embedded/startEmbeddedPostgres.ts";

/** A Postgres of the bench's own, the one that the service carries, with its settings and fsync on. */
export interface Cluster extends AsyncDisposable {
  readonly service: EmbeddedPostgres["service"];
  readonly admin: EmbeddedPostgres["admin"];
  readonly superuser: EmbeddedPostgres["superuser"];
  stop(): Promise<void>;
  /** Starts it again where it was. */
  start(): Promise<void>;
}

/** Starts a new cluster in a temporary folder, which goes with it. */
export async function startCluster(): Promise<Cluster> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "bench-")));
  const start = (socketDir?: string) =>
    startEmbeddedPostgres({
      dataDir: join(folder.path, "postgres"),
      logFile: join(folder.path, "postgres.log"),
      ...(socketDir === undefined ? {} : { socketDir }),
    });
  let postgres: EmbeddedPostgres | undefined = await start();
  const { service, admin, superuser, socketDir } = postgres;
  const stop = async () => {
    await postgres?.[Symbol.asyncDispose]();
    postgres = undefined;
  };
  starting.defer(stop);
  const running = starting.move();
  return {
    service,
    admin,
    superuser,
    stop,
    async start() {
      postgres ??= await start(socketDir);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The connection as a URL, as the service's settings have it. */
export function urlOf({ user, password, host, port, database }: EmbeddedPostgres["service"]): string {
  return `postgresql://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`;
}
