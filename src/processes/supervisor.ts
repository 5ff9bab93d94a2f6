import type { Config } from "../config.ts";
import { keepEmbedded } from "../db/connect.ts";
import type { ConnectionSettings } from "../db/embedded/connection.ts";
import { createLog } from "../logging.ts";
import type { Service } from "../main.ts";
import { startChildren } from "./children.ts";
import { lockDataFolder } from "./folders.ts";

/** What a replica keeps open on Postgres at most, and something over. */
const connectionsPerProcess = 40;
/** Of the time to stop in, what the embedded Postgres has. */
const postgresStopsWithinMs = 1_000;

/**
 * Starts the service as several processes, each a whole replica, behind one pair of listeners; this one serves nothing
 * itself. It holds the data folder, runs the embedded Postgres, hands connections out, and starts processes again that
 * end. Throws a StartupError when one of them cannot start.
 */
export async function startProcesses(config: Config): Promise<Service> {
  const { limits } = config;
  const log = createLog(config.logLevel);
  await using starting = new AsyncDisposableStack();
  let stopBy = Number.POSITIVE_INFINITY;
  const leftMs = () => Math.max(0, Math.min(limits.shutdownMs, stopBy - performance.now()));

  const folder = starting.use(await lockDataFolder(config.dataDir));
  const postgres =
    config.database.kind === "embedded"
      ? starting.adopt(
          await keepEmbedded(folder.path, log, {
            max_connections: String(Math.max(100, connectionsPerProcess * config.processes)),
          }),
          (it) => it.stop(leftMs()),
        )
      : undefined;
  const children = starting.adopt(
    startChildren({
      count: config.processes,
      postgres: postgres && { url: urlOf(postgres.service), adminUrl: urlOf(postgres.admin) },
      log,
    }),
    (it) => it.stop(leftMs() - postgresStopsWithinMs),
  );
  const ready = await children.ready;
  const running = starting.move();
  return {
    grpcPort: ready.grpcPort,
    httpPort: ready.httpPort,
    isDatabaseReady: () => ready.isDatabaseReady,
    reloadConfigFile:
      config.filePath === undefined ? undefined : async () => children.sendAll({ kind: "reload" }),
    failed: Promise.race([children.failed, ...(postgres === undefined ? [] : [postgres.failed])]),
    [Symbol.asyncDispose]() {
      stopBy = performance.now() + limits.shutdownMs;
      return running.disposeAsync();
    },
  };
}

/** The connection as a URL: to a child the embedded Postgres is one that is there. */
function urlOf({ host, port, user, password, database }: ConnectionSettings): string {
  const [at, secret] = [encodeURIComponent(host), encodeURIComponent(password)];
  return `postgresql://${user}:${secret}@${at}:${port}/${database}?sslmode=disable`;
}
