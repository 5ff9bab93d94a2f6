import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { appendActions } from "../../src/ledger/append.ts";
import type { Comparison, Figure } from "../comparison.ts";
import { exportAll } from "../exportAll.ts";
import { type OnCluster, startOnCluster } from "../onCluster.ts";
import { psql, requirePsql } from "../peers/psql.ts";
import { actionRows } from "../rows.ts";

const rows = 300_000;
const batchRows = 1_000;

let running: OnCluster | undefined;

/** A ledger of this month's records, none of which is purged meanwhile. */
async function open(): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const started = starting.use(await startOnCluster());
  const writer = new pg.Client(started.cluster.service);
  await writer.connect();
  for (let written = 0; written < rows; written += batchRows) {
    await appendActions(writer, actionRows(batchRows));
  }
  await writer.end();
  running = started;
  return starting.move();
}

function opened() {
  if (running === undefined) throw new Error("the ledger to export was not started");
  return running;
}

/** Whole records as JSONL over gRPC, hashed and checked, beside psql's \copy of the same rows to a file. */
export const exported: Comparison = {
  kind: "comparison",
  name: "export",
  oursIs: "export of 300,000 records, JSONL over gRPC",
  peerIs: "psql \\copy of the same rows as JSON",
  unit: "rows/s",
  goal: { atLeast: 0.85 },
  ready: requirePsql,
  open,
  async ours() {
    const { rowsPerSecond, residentBeforeMiB, residentHighestMiB, ...checked } = await exportAll(
      opened().service,
    );
    if (!checked.trailerMatches || checked.rows < rows) throw new Error("the export is not whole");
    return { value: rowsPerSecond, details: { residentBeforeMiB, residentHighestMiB } };
  },
  async peer() {
    await using folder = await mkdtempDisposable(join(tmpdir(), "bench-"));
    const { host, port, user, password, database } = opened().cluster.superuser;
    const seconds = await psql(
      { host, port, user, password, database },
      `\\copy (select row_to_json(a) from ledger.user_action a) to '${join(folder.path, "actions")}'`,
    );
    return { value: rows / seconds };
  },
};

/** How far an export makes the service grow, once it has made one. */
export const exportMemory: Figure = {
  kind: "figure",
  name: "export-memory",
  is: "memory that an export of 300,000 records adds",
  unit: "MiB",
  goal: { atMost: 64 },
  open,
  async measure() {
    const { residentBeforeMiB, residentHighestMiB } = await exportAll(opened().service);
    return { value: residentHighestMiB - residentBeforeMiB, details: { residentHighestMiB } };
  },
};
