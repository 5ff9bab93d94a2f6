import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StartupError } from "../../startupError.ts";
import type { Damage, EndedOutage, Held, Outage } from "./entry.ts";
import { endedOutagesIn, heldIn, outagesIn } from "./look.ts";
import { damageIn, fileName, quarantineName } from "./salvage.ts";

/** A spool, seen from outside. */
export type SpoolView = {
  readonly held: readonly Held[];
  /** Those that go on, and those that are over and not on record yet. */
  readonly outages: readonly Outage[];
  readonly ended: readonly EndedOutage[];
  /** Damaged files that were set aside. */
  readonly quarantine: readonly { readonly folder: string; readonly damage?: Damage }[];
};

/** Looks into a spool that another process may be using; changes nothing. Throws a StartupError. */
export function viewSpool(folder: string): SpoolView {
  const quarantine = join(folder, quarantineName);
  const set = existsSync(quarantine) ? readdirSync(quarantine).sort() : [];
  return {
    ...contentOf(join(folder, fileName)),
    quarantine: set.map((name) => {
      const damage = damageIn(join(quarantine, name));
      return { folder: join(quarantine, name), ...(damage && { damage }) };
    }),
  };
}

function contentOf(path: string): Omit<SpoolView, "quarantine"> {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 2000 });
    db.exec("begin");
    return { held: heldIn(db), outages: outagesIn(db), ended: endedOutagesIn(db) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown";
    throw new StartupError(
      `${path} cannot be read (${why}); if it is damaged, the next governance serve sets it aside and keeps what can be read`,
      { cause },
    );
  } finally {
    if (db?.isOpen) db.close();
  }
}
