import { type Cluster, startCluster, urlOf } from "./cluster.ts";
import { type Service, startService } from "./service.ts";

/** A service on a Postgres that the bench can reach, and stop. */
export interface OnCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly service: Service;
}

/** Starts both; they go together. */
export async function startOnCluster(): Promise<OnCluster> {
  await using starting = new AsyncDisposableStack();
  const cluster = starting.use(await startCluster());
  const service = starting.use(
    await startService({ DATABASE_URL: urlOf(cluster.service), DATABASE_ADMIN_URL: urlOf(cluster.admin) }),
  );
  const running = starting.move();
  return { cluster, service, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
