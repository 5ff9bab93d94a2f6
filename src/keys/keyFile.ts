import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { sqlState } from "../db/pool.ts";
import { StartupError } from "../startupError.ts";

/**
 * The content of a key file, made when it is not there yet. Only its owner can read it. Two processes
 * that make it at the same moment end up with the same one.
 */
export function loadOrMakeKeyFile(setting: string, path: string, make: () => string): string {
  try {
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const mine = `${path}.${process.pid}`;
      writeFileSync(mine, make(), { mode: 0o600, flush: true });
      try {
        linkSync(mine, path); // Unlike a rename, this does not replace what another process has made.
      } catch (cause) {
        if (sqlState(cause) === "EPERM")
          renameSync(mine, path); // A file system without hard links.
        else if (sqlState(cause) !== "EEXIST") throw cause;
      }
      if (existsSync(mine)) unlinkSync(mine);
    }
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new StartupError(`${setting}: ${path} cannot be read or made (${sqlState(cause) ?? "unknown"})`, {
      cause,
    });
  }
}
