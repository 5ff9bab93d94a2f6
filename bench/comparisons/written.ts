import pg from "pg";
import { migrate } from "../../src/db/migrate.ts";
import { appendActions } from "../../src/ledger/append.ts";
import { type Cluster, startCluster } from "../cluster.ts";
import type { Comparison, Measurement, Ours } from "../comparison.ts";
import { insertActions, plainActionTable } from "../peers/plainAction.ts";
import { actionRows } from "../rows.ts";
import { streamActions } from "./actions.ts";
import { warmupMs } from "./callers.ts";

/** Rows of a batch, as of a stream's. */
const batchRows = 100;
/** Batches that the server has at a time, as from the journal. */
const underWay = 2;
const stepRows = 20_000;

let running: { readonly cluster: Cluster; readonly writer: pg.Client } | undefined;

/** A migrated database that no service is connected to. */
async function open(): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const cluster = starting.use(await startCluster());
  await migrate(cluster.admin, cluster.service.user);
  const owner = new pg.Client(cluster.superuser);
  await owner.connect();
  for (const statement of plainActionTable) await owner.query(statement);
  await owner.query("select maintenance.ensure_month(now())");
  await owner.query(`grant insert on plain_action to ${cluster.service.user}`);
  await owner.end();
  const writer = new pg.Client({ ...cluster.service, pipeline: true });
  await writer.connect();
  starting.defer(() => writer.end());
  running = { cluster, writer };
  return starting.move();
}

function opened() {
  if (running === undefined) throw new Error("the database was not started");
  return running;
}

/** The ledger's own write beside the same batches into the plain table: what dedupe, partitions and the rest cost. */
export const dedupe: Comparison = {
  kind: "comparison",
  name: "dedupe",
  oursIs: "batches of 100 into the ledger",
  peerIs: "the same batches into the plain table",
  unit: "rows/s",
  goal: { atLeast: 0.85 },
  open,
  ours: ({ seconds }) => write(seconds, appendActions),
  peer: ({ seconds }) => write(seconds, insertActions),
};

/** How fast the log gives positions, and records what follows, beside how fast records can come. */
export const positions: Comparison = {
  kind: "comparison",
  name: "log",
  oursIs: "positions given",
  peerIs: "StreamUserActions, batches of 100",
  unit: "1/s",
  goal: { atLeast: 2 },
  open,
  async ours({ seconds }: Ours) {
    const { writer } = opened();
    await write(seconds, appendActions);
    const started = performance.now();
    let placed = 0;
    for (;;) {
      const { rows } = await writer.query<{ placed: number; horizon: string }>(
        "select placed, horizon from log.advance($1)",
        [stepRows],
      );
      await writer.query("select log.follow($1, $2::text::xid8, now())", [stepRows, rows[0]?.horizon]);
      if (rows[0] === undefined || rows[0].placed === 0) break;
      placed += rows[0].placed;
    }
    return { value: (placed * 1000) / (performance.now() - started), details: { placed } };
  },
  peer: streamActions,
};

type Write = (client: pg.Client, rows: ReturnType<typeof actionRows>) => Promise<unknown>;

async function write(seconds: number, by: Write): Promise<Measurement> {
  const { writer } = opened();
  const countFrom = performance.now() + warmupMs;
  const countUntil = countFrom + seconds * 1_000;
  let rows = 0;
  async function loop(): Promise<void> {
    while (performance.now() < countUntil) {
      await by(writer, actionRows(batchRows));
      if (performance.now() >= countFrom) rows += batchRows;
    }
  }
  await Promise.all(Array.from({ length: underWay }, loop));
  return { value: rows / seconds };
}
