import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Counts, type Damage, type SpoolBot, spoolBots } from "./entry.ts";
import { problemOf } from "./problem.ts";
import { begin, damageIn, fileName, finishSalvage, quarantineName, salvage } from "./salvage.ts";

/** Sees to it that the folder holds a spool that can be used; what was wrong with the one that it held. */
export function makeWhole(
  folder: string,
  known: Counts | "none" | "damaged",
  options: { readonly newId: () => string; readonly nowMicros: number },
): Damage | undefined {
  const path = join(folder, fileName);
  const found = finishSalvage(folder) ? lastDamage(folder) : undefined;
  const counts = typeof known === "string" ? undefined : known;
  if (!existsSync(path)) {
    const hadNothing = known === "none" || (counts && spoolBots.every((bot) => isDrained(counts, bot)));
    if (!hadNothing) return salvage(folder, counts, "the file is gone", options);
    begin(folder, counts);
    return undefined;
  }
  const problem = problemOf(path, counts) ?? problemOfWriting(path);
  return problem === undefined ? found : salvage(folder, counts, problem, options);
}

function isDrained(counts: Counts, bot: SpoolBot): boolean {
  return counts[bot].appended === counts[bot].removed;
}

/** What an earlier start found, which ended before it could say so. */
function lastDamage(folder: string): Damage | undefined {
  const quarantine = join(folder, quarantineName);
  const last = existsSync(quarantine) ? readdirSync(quarantine).sort().at(-1) : undefined;
  return last === undefined ? undefined : damageIn(join(quarantine, last));
}

/** A file can be read and still not be written: its header says which versions may. */
function problemOfWriting(path: string): string | undefined {
  const db = new DatabaseSync(path, { timeout: 2000 });
  try {
    db.exec("begin immediate; rollback");
    return undefined;
  } catch (cause) {
    const isReadOnly = cause instanceof Error && "errcode" in cause && cause.errcode === 8;
    if (!isReadOnly) throw cause;
    return "it cannot be written to";
  } finally {
    db.close();
  }
}
