import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { StartupError } from "../../startupError.ts";

/** The spool's folder in a data folder. Throws a StartupError when there is none. */
export function spoolIn(dataDir: string): string {
  const folder = join(resolve(dataDir), "spool");
  if (existsSync(folder)) return folder;
  throw new StartupError(
    `${resolve(dataDir)} holds no spool; name the data folder of a replica (its GOVERNANCE_DATA_DIR)`,
  );
}
