import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../src/db/embedded/startEmbeddedPostgres.ts";
import { migrate } from "../../src/db/migrate.ts";

/** How tests reach the cluster that all of them share; each makes a database of its own in it. */
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
    cluster: TestCluster;
  }
}

/** One real Postgres for the whole run, without fsync: these tests do not lose power. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "governance-test-")));
  const postgres = starting.use(
    await startEmbeddedPostgres({
      dataDir: join(folder.path, "postgres"),
      logFile: join(folder.path, "postgres.log"),
      extraSettings: { fsync: "off", max_connections: "400" },
    }),
  );
  await migrate(postgres.admin, postgres.service.user);
  const { host, port, database } = postgres.superuser;
  project.provide("cluster", {
    host,
    port,
    superuser: pick(postgres.superuser),
    admin: pick(postgres.admin),
    service: pick(postgres.service),
    template: database,
  });
  const running = starting.move();
  return () => running.disposeAsync();
}

function pick({ user, password }: { user: string; password: string }) {
  return { user, password };
}
