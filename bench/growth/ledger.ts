import pg from "pg";
import { startOnCluster } from "../onCluster.ts";
import type { Service } from "../service.ts";
import { fill } from "./fill.ts";

/** A service on a ledger of a known size, eight years deep. */
export interface Ledger extends AsyncDisposable {
  readonly rows: number;
  readonly service: Service;
  /** A session of the database's superuser, for what no caller can do. */
  readonly database: pg.Client;
  /** Rows per second that the filling took, positions in the log included. */
  readonly filledPerSecond: number;
}

/** Starts a Postgres and a service of its own, and fills it with `rows` actions. */
export async function startLedger(rows: number): Promise<Ledger> {
  await using starting = new AsyncDisposableStack();
  const { cluster, service } = starting.use(await startOnCluster());
  const database = new pg.Client(cluster.superuser);
  await database.connect();
  starting.defer(() => database.end());
  const started = performance.now();
  await fill(database, rows);
  const filledPerSecond = Math.round(rows / ((performance.now() - started) / 1000));
  const running = starting.move();
  return {
    rows,
    service,
    database,
    filledPerSecond,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
