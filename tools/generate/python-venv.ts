import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, ToolError } from "./command.ts";
import { cache } from "./paths.ts";

const missing = "install Python 3.10 or later with venv (Debian: python3-venv), or leave it out with --only";

/** A Python that has exactly these requirements: the path of its interpreter. */
export function pythonWith(requirements: string): string {
  const venv = join(cache, "python");
  const python = join(venv, "bin/python");
  const stamp = join(venv, "stamp");
  const wanted = `${systemPython()}\n${requirements}`;
  if (existsSync(python) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return python;

  run("python3", ["-m", "venv", "--clear", venv], { missing });
  // Wheels only: grpcio takes half an hour to compile, better to fail at once.
  const install = [
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--only-binary",
    ":all:",
    "--no-deps",
  ];
  const pins = requirements.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  run(python, ["-m", "pip", ...install, ...pins], { missing });
  // Last: a venv that was cut short has no stamp and is made again.
  writeFileSync(stamp, wanted);
  return python;
}

/** Which python3 this is; a venv breaks when the interpreter under it changes. */
function systemPython(): string {
  const probe =
    "import sys, ensurepip, venv; print(sys.version_info >= (3, 10), sys.executable, sys.version)";
  let found: string;
  try {
    found = run("python3", ["-c", probe], { missing });
  } catch (error) {
    throw error instanceof ToolError ? new ToolError(`python3 cannot be used: ${missing}`) : error;
  }
  if (!found.startsWith("True ")) throw new ToolError(`python3 is too old: ${missing}`);
  return found;
}
