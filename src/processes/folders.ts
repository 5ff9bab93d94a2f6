import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DataFolder, openDataFolder } from "../dataFolder.ts";
import type { Part } from "./part.ts";

/** Where a replica keeps what: all in the data folder, or beside other processes of the same service. */
export type ReplicaFolder = AsyncDisposable & {
  /** What all processes share: keys, notes of scrubs. */
  readonly path: string;
  /** What is this process's own: its spool, its name as a replica. */
  readonly own: string;
  /** Folders of processes that no longer run, because there are fewer now: this one drains their spools. */
  readonly left: readonly string[];
};

/** So long processes whose first one was killed may take to end: more than they do. */
const earlierEndsWithinMs = 12_000;
const pollMs = 50;

/**
 * Locks the data folder as openDataFolder does. Processes of an earlier run may still answer what they took: it is
 * waited for them. Throws a StartupError.
 */
export async function lockDataFolder(dataDir: string): Promise<DataFolder> {
  const folder = await openDataFolder(dataDir);
  try {
    const deadline = performance.now() + earlierEndsWithinMs;
    for (const { path } of processFolders(folder.path)) await ended(path, deadline);
    return folder;
  } catch (cause) {
    await folder[Symbol.asyncDispose]();
    throw cause;
  }
}

async function ended(path: string, deadline: number): Promise<void> {
  for (;;) {
    try {
      const folder = await openDataFolder(path);
      return await folder[Symbol.asyncDispose]();
    } catch (cause) {
      if (performance.now() > deadline) throw cause;
      await sleep(pollMs);
    }
  }
}

/** The folder of a replica: of one that is alone, or of a part whose data folder the first process holds. */
export async function openReplicaFolder(dataDir: string, part?: Part): Promise<ReplicaFolder> {
  const folder = await (part === undefined
    ? lockDataFolder(dataDir)
    : openDataFolder(join(dataDir, `process-${part.process}`)));
  const path = part === undefined ? folder.path : dirname(folder.path);
  // The first of several goes on with the spool of a service that was one process, and the other way round.
  const isFirst = part === undefined || part.process === 1;
  return {
    path,
    own: isFirst ? path : folder.path,
    left: isFirst ? withSpools(path, part?.of ?? 1) : [],
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** The folders in a data folder that may have a spool: itself, and those of its processes but the first. */
export function spoolFolders(dataDir: string): readonly [string, ...string[]] {
  return [dataDir, ...withSpools(dataDir, 1)];
}

/** The folders of the processes behind the first so many that have a spool. */
function withSpools(dataDir: string, behind: number): readonly string[] {
  const others = processFolders(dataDir).filter(({ process }) => process > behind);
  return others.map(({ path }) => path).filter((path) => existsSync(join(path, "spool")));
}

function processFolders(dataDir: string): readonly { readonly process: number; readonly path: string }[] {
  return readdirSync(dataDir)
    .map((name) => ({ process: Number(/^process-(\d{1,4})$/.exec(name)?.[1]), path: join(dataDir, name) }))
    .filter(({ process }) => process > 0)
    .toSorted((one, other) => one.process - other.process);
}
