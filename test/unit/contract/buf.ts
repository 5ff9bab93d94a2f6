import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../../..");

/** Runs buf in a folder. */
export function buf(cwd: string, ...args: readonly string[]): { code: number | null; output: string } {
  const run = spawnSync(join(root, "node_modules/.bin/buf"), args, { cwd, encoding: "utf8" });
  if (run.error !== undefined) throw run.error;
  return { code: run.status, output: run.stdout + run.stderr };
}
