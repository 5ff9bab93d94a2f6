import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../errorCode.ts";
import { CliError, exitCodes } from "../exitCodes.ts";

/** Where an export into a file stands. */
export type ExportState = {
  /** What is exported: the request without its token, as JSON. */
  readonly request: string;
  /** Goes on behind the bytes; "" for the start. */
  readonly resumeToken: string;
  /** Bytes of the file that are on disk; what is behind them is dropped on resuming. */
  readonly bytes: number;
};

/** The file beside an export's that keeps its state; there as long as the export is not complete. */
export function statePath(output: string): string {
  return `${output}.resume`;
}

/** The state of a cut export; undefined when there is none. Throws a CliError when it cannot be used. */
export async function readState(output: string): Promise<ExportState | undefined> {
  const path = statePath(output);
  let state: unknown;
  try {
    state = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const code = errorCode(cause);
    if (code === "ENOENT") return undefined;
    if (code !== undefined)
      throw new CliError(exitCodes.cannotStart, `${path} cannot be read (${code})`, { cause });
    state = undefined;
  }
  if (!isState(state)) {
    throw new CliError(
      exitCodes.cannotStart,
      `${path} is not the state of an export; remove it to start anew`,
    );
  }
  return { request: JSON.stringify(state.request), resumeToken: state.resume_token, bytes: state.bytes };
}

type StateFile = { readonly request: object; readonly resume_token: string; readonly bytes: number };

function isState(value: unknown): value is StateFile {
  return (
    typeof value === "object" &&
    value !== null &&
    "request" in value &&
    typeof value.request === "object" &&
    "resume_token" in value &&
    typeof value.resume_token === "string" &&
    "bytes" in value &&
    Number.isSafeInteger(value.bytes)
  );
}

/** Puts the state in place of the last one, whole and on disk once this resolves, whatever happens then. */
export async function writeState(output: string, state: ExportState): Promise<void> {
  const path = statePath(output);
  const { resumeToken, bytes } = state;
  const content: StateFile = { request: JSON.parse(state.request), resume_token: resumeToken, bytes };
  {
    await using file = await open(`${path}.new`, "w", 0o600);
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.sync();
  }
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}

/** The export is complete: its state goes. */
export async function removeState(output: string): Promise<void> {
  await rm(statePath(output), { force: true });
  await syncFolder(dirname(output));
}

/** Makes renamed and removed names durable. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}
