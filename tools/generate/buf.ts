import { run } from "./command.ts";
import { npmBin, root } from "./paths.ts";

/** Runs buf, with the plugins of npm and of `binDirs`. */
export function buf(args: readonly string[], binDirs: readonly string[] = []): void {
  run("buf", args, { binDirs: [npmBin, ...binDirs], cwd: root, missing: "run npm ci" });
}
