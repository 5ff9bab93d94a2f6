import { spawnSync } from "node:child_process";
import { delimiter } from "node:path";

/** A tool is missing or failed; its message is all a person needs to read. */
export class ToolError extends Error {}

interface CommandOptions {
  /** Looked up before the PATH, so that pinned tools win over installed ones. */
  readonly binDirs?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What to do when the command is not there. */
  readonly missing: string;
}

/** Runs a command to its end; what it prints on stderr is shown. */
export function run(command: string, args: readonly string[], options: CommandOptions): string {
  const path = [...(options.binDirs ?? []), process.env.PATH ?? ""].join(delimiter);
  const result = spawnSync(command, args, {
    cwd: options.cwd,
    encoding: "utf8",
    env: { ...process.env, ...options.env, PATH: path },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.error !== undefined && "code" in result.error && result.error.code === "ENOENT") {
    throw new ToolError(`${command} was not found: ${options.missing}`);
  }
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    process.stderr.write(result.stdout);
    throw new ToolError(`${command} ${args.join(" ")} failed (${result.signal ?? result.status})`);
  }
  return result.stdout;
}
