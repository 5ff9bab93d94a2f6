import { mkdir, mkdtempDisposable, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../src/db/embedded/startEmbeddedPostgres.ts";
import { migrate } from "../../src/db/migrate.ts";

/** How a worker's tests reach the cluster that they share; each makes a database of its own in it. */
export type TestCluster = {
  readonly host: string;
  readonly port: number;
  readonly superuser: { readonly user: string; readonly password: string };
  readonly admin: { readonly user: string; readonly password: string };
  readonly service: { readonly user: string; readonly password: string };
  /** A migrated database to clone. */
  readonly template: string;
};

declare module "vitest" {
  export interface ProvidedContext {
    clusters: readonly TestCluster[];
  }
}

/**
 * A real Postgres for each worker of the run: a transaction that a test holds open holds up the log of every
 * database of its cluster.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(await clustersFolder(), "governance-test-")));
  const clusters: TestCluster[] = [];
  for (let worker = 1; worker <= Number(project.config.maxWorkers ?? 1); worker++) {
    const path = join(folder.path, String(worker));
    await mkdir(path);
    clusters.push(await startCluster(path, starting));
  }
  project.provide("clusters", clusters);
  const running = starting.move();
  return () => running.disposeAsync();
}

/** What two clusters have needed at most, several times over. */
const memoryMinBytes = 8 * 1024 ** 3;

/** In memory where there is room: a database of a thousand small files is there in 25 ms, on a disk in 400. */
async function clustersFolder(): Promise<string> {
  const memory = "/dev/shm";
  const room = await statfs(memory).catch(() => undefined);
  return room !== undefined && room.bavail * room.bsize >= memoryMinBytes ? memory : tmpdir();
}

/** Without fsync: these tests do not lose power. */
async function startCluster(folder: string, starting: AsyncDisposableStack): Promise<TestCluster> {
  const postgres = starting.use(
    await startEmbeddedPostgres({
      dataDir: join(folder, "postgres"),
      logFile: join(folder, "postgres.log"),
      extraSettings: { fsync: "off", max_connections: "400", max_wal_size: "256MB" },
    }),
  );
  await migrate(postgres.admin, postgres.service.user);
  const { host, port, database } = postgres.superuser;
  return {
    host,
    port,
    superuser: pick(postgres.superuser),
    admin: pick(postgres.admin),
    service: pick(postgres.service),
    template: database,
  };
}

function pick({ user, password }: { user: string; password: string }) {
  return { user, password };
}
