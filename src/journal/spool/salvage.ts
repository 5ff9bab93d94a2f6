import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Counts, Damage } from "./entry.ts";
import { rowsInPages } from "./pages.ts";
import { rebuild } from "./rebuild.ts";

/** The name of the file in a spool's folder, and of the folder beside it that holds what was damaged. */
export const fileName = "spool.db";
export const quarantineName = "quarantine";
export const damageName = "damage.json";

/** Where a new file is made, and where it waits to take the damaged one's place: whole, or not there. */
const makingName = "spool.new";
const readyName = "spool.ready";

const suffixes = ["", "-wal", "-shm"];

/**
 * Sets a damaged spool aside as it is, under quarantine/, and puts a new one in its place that has every record of it
 * that can be read whole. It can end anywhere: the next one goes on.
 */
export function salvage(
  folder: string,
  known: Counts | undefined,
  why: string,
  options: { readonly newId: () => string; readonly nowMicros: number },
): Damage {
  const time = new Date(options.nowMicros / 1000).toISOString().replaceAll(":", "-");
  const quarantine = join(folder, quarantineName, time);
  mkdirSync(quarantine, { recursive: true, mode: 0o700 });
  const path = join(folder, fileName);
  for (const suffix of suffixes) {
    if (existsSync(path + suffix)) keep(path + suffix, join(quarantine, fileName + suffix));
  }
  const making = join(folder, makingName);
  remove(making);
  const damage = { quarantine, ...rebuild(making, rowsInPages(path), known, options), why };
  writeFileSync(join(quarantine, damageName), `${JSON.stringify(damage)}\n`, { mode: 0o600, flush: true });
  for (const synced of [quarantine, dirname(quarantine), folder]) syncFolder(synced);
  renameSync(making, join(folder, readyName));
  syncFolder(folder);
  finishSalvage(folder);
  return damage;
}

/** Begins a spool without records in an empty folder; `known`: how many it has had. */
export function begin(folder: string, known: Counts | undefined): void {
  const making = join(folder, makingName);
  remove(making);
  remove(join(folder, fileName));
  rebuild(making, [], known, undefined);
  renameSync(making, join(folder, fileName));
  syncFolder(folder);
}

/** Puts a new file in the damaged one's place; whether there was one that a salvage had left. */
export function finishSalvage(folder: string): boolean {
  remove(join(folder, makingName));
  const ready = join(folder, readyName);
  if (!existsSync(ready)) return false;
  // The old log has to be gone first: it would be taken for the new file's.
  remove(join(folder, fileName));
  syncFolder(folder);
  renameSync(ready, join(folder, fileName));
  syncFolder(folder);
  return true;
}

/** What a salvage noted of what it found. */
export function damageIn(quarantine: string): Damage | undefined {
  try {
    const noted: unknown = JSON.parse(readFileSync(join(quarantine, damageName), "utf8"));
    return isDamage(noted) ? noted : undefined;
  } catch (cause) {
    if (cause instanceof Error) return undefined; // It ended before it had noted anything.
    throw cause;
  }
}

function isDamage(noted: unknown): noted is Damage {
  return typeof noted === "object" && noted !== null && "kept" in noted && "lost" in noted && "why" in noted;
}

function remove(path: string): void {
  for (const suffix of [...suffixes, "-journal"]) rmSync(path + suffix, { force: true });
}

/** The bytes under a second name, copied only where the file system has no hard links. */
function keep(path: string, as: string): void {
  rmSync(as, { force: true });
  try {
    linkSync(path, as);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    copyFileSync(path, as);
  }
}

/** Makes renames in the folder survive a power cut. */
function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
