import { cpSync, existsSync, globSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

export interface Difference {
  /** Relative to both folders. */
  readonly file: string;
  readonly kind: "missing" | "stale" | "changed";
}

/** What would have to change in `to` for it to hold the files of `from`, and no others but `kept`. */
export function differences(from: string, to: string, kept: readonly string[]): Difference[] {
  const wanted = new Set(filesIn(from));
  const present = new Set(filesIn(to).filter((file) => !kept.includes(file)));
  const found: Difference[] = [];
  for (const file of wanted) {
    if (!present.has(file)) found.push({ file, kind: "missing" });
    else if (!readFileSync(join(from, file)).equals(readFileSync(join(to, file)))) {
      found.push({ file, kind: "changed" });
    }
  }
  for (const file of present) if (!wanted.has(file)) found.push({ file, kind: "stale" });
  return found.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Makes those changes. Files that are right already are not touched, so watchers stay quiet. */
export function apply(changes: readonly Difference[], from: string, to: string): void {
  for (const { file, kind } of changes) {
    if (kind === "stale") rmSync(join(to, file));
    else cpSync(join(from, file), join(to, file));
  }
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return globSync("**", { cwd: folder, exclude: ["**/__pycache__"] }).filter((file) =>
    statSync(join(folder, file)).isFile(),
  );
}
