import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What Postgres says of itself in postmaster.pid. */
export type PidFile = {
  readonly pid: number;
  readonly socketDir: string | undefined;
  readonly ready: boolean;
};

/** Reads the cluster's postmaster.pid; undefined if there is none, or it is only half written. */
export async function readPidFile(dataDir: string): Promise<PidFile | undefined> {
  const text = await readFile(fileOf(dataDir), "utf8").catch(() => "");
  // pid, folder, start time, port, socket folder, address, shared memory, status
  const lines = text.split("\n");
  const pid = Math.abs(Number(lines[0]));
  if (!Number.isSafeInteger(pid) || pid === 0) return undefined;
  return { pid, socketDir: lines[4] || undefined, ready: lines[7]?.trim() === "ready" };
}

/**
 * Makes a stale file name our own pid, which Postgres, as our child, knows not to be another Postgres. Removing the
 * file instead would also remove the shared memory's key, by which it notices orphans of the old one that still write.
 */
export async function disownPidFile(dataDir: string): Promise<void> {
  const text = await readFile(fileOf(dataDir), "utf8");
  await writeFile(fileOf(dataDir), text.replace(/^[^\n]*/, String(process.pid)));
}

function fileOf(dataDir: string): string {
  return join(dataDir, "postmaster.pid");
}
