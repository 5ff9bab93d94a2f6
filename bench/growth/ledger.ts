import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded/startEmbeddedPostgres.ts";
import { type Service, startService } from "../service.ts";
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
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "bench-growth-")));
  const postgres = starting.use(
    await startEmbeddedPostgres({
      dataDir: join(folder.path, "postgres"),
      logFile: join(folder.path, "postgres.log"),
    }),
  );
  const url = ({ user, password, host, port, database }: typeof postgres.service) =>
    `postgresql://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`;
  const service = starting.use(
    await startService({ DATABASE_URL: url(postgres.service), DATABASE_ADMIN_URL: url(postgres.admin) }),
  );
  const database = new pg.Client(postgres.superuser);
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
