import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry, NewEntry, SpoolBot } from "../../../src/journal/spool/entry.ts";
import { openSpoolFile, type SpoolFile } from "../../../src/journal/spool/spoolFile.ts";

export const ledger: SpoolBot = "gov.useractivityledger";
export const auditor: SpoolBot = "gov.parameterchangeauditor";

/** Where fsync costs nothing: hundreds of spools are opened. */
const inMemory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A folder that goes with the test. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(inMemory, "governance-spool-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The folder as it is now, copied. */
export function copyOf(folder: string): Disposable & { readonly path: string } {
  const copy = temporaryFolder();
  cpSync(folder, copy.path, { recursive: true });
  return copy;
}

let ids = 0;
const times = { at: 1_800_000_000_000_000 };

export function open(folder: string): SpoolFile & Disposable {
  const file = openSpoolFile(
    folder,
    () => `id ${++ids}`,
    () => ++times.at,
  );
  return Object.assign(file, { [Symbol.dispose]: () => file.close() });
}

export function entry(n: number, more: Partial<NewEntry> = {}): NewEntry {
  const bot = n % 3 === 0 ? auditor : ledger;
  return {
    journal: bot === ledger ? "ledger" : "auditor",
    bot,
    orderKey: n % 5,
    ownKey: n % 3 === 0 ? n : null,
    acceptedMicros: 1_700_000_000_000_000 + n,
    body: `{"n":${n},"text":"${"é ".repeat(n % 7)}"}`,
    ...more,
  };
}

/** Entries first, first + 1, … */
export function entries(first: number, count: number, more: Partial<NewEntry> = {}): NewEntry[] {
  return Array.from({ length: count }, (_, i) => entry(first + i, more));
}

/** Everything that waits, in the order of its places. */
export function waiting(file: SpoolFile): Entry[] {
  return ["ledger", "auditor"]
    .flatMap((journal) => file.take(journal, 1_000_000, Number.POSITIVE_INFINITY, undefined))
    .sort((a, b) => a.seq - b.seq);
}

/** The n of each entry that waits. */
export function numbers(file: SpoolFile): number[] {
  return waiting(file).map(({ body }) => Number(/"n":(\d+)/.exec(body)?.[1]));
}
