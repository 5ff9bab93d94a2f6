import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { JsonValue } from "@bufbuild/protobuf";
import { isCode, replaceFile, syncFolder, writeAll } from "../disk/durable.ts";
import { ExportError } from "./error.ts";

/** A crash costs at most what came since then; syncing each message would cost more. */
const checkpointEveryMs = 1_000;

/**
 * Where an export stands, in `<file>.resume` beside it until it is complete. It names only bytes that are on disk.
 */
type State = { readonly request: JsonValue; readonly resumeToken: string; readonly bytes: number };

export type ExportFile = {
  bytes(): number;
  resumeToken(): string;
  write(jsonl: Uint8Array, resumeToken: string): Promise<void>;
  /** Makes sure that the next process can go on behind all that came. */
  checkpoint(): Promise<void>;
  /** h(0) is 32 zero bytes, h(n) the SHA-256 of h(n-1) and line n without its newline. */
  chain(): Promise<{ readonly lines: bigint; readonly chain: Buffer }>;
  /** Makes it a file without a state. */
  complete(): Promise<void>;
  /** Lets the next export begin at the start. */
  discard(): Promise<void>;
  close(): Promise<void>;
};

/** Looks at what is there. Nothing is touched before the first bytes come. Throws an ExportError. */
export async function planExport(path: string, request: JsonValue): Promise<ExportFile> {
  const statePath = `${path}.resume`;
  const begun = await readState(path, statePath, request);
  let { resumeToken, bytes } = begun ?? { resumeToken: "", bytes: 0 };
  let file: FileHandle | undefined;
  let checkpointAt = 0;

  async function opened(): Promise<FileHandle> {
    if (file !== undefined) return file;
    // Before the file is there: a file without a state is a complete one.
    if (begun === undefined) await writeState({ request, resumeToken: "", bytes: 0 });
    await (await open(path, "a", 0o600)).close();
    file = await open(path, "r+");
    await file.truncate(bytes);
    return file;
  }

  function writeState(state: State): Promise<void> {
    return replaceFile(statePath, Buffer.from(`${JSON.stringify(state)}\n`));
  }

  async function checkpoint(): Promise<void> {
    if (file === undefined) return;
    await file.sync();
    checkpointAt = Date.now();
    await writeState({ request, resumeToken, bytes });
  }

  return {
    bytes: () => bytes,
    resumeToken: () => resumeToken,
    async write(jsonl, token) {
      await writeAll(await opened(), jsonl, bytes);
      bytes += jsonl.length;
      resumeToken = token;
      if (Date.now() - checkpointAt >= checkpointEveryMs) await checkpoint();
    },
    checkpoint,
    async chain() {
      await opened();
      return chainOf(path);
    },
    async complete() {
      await (await opened()).sync();
      await unlink(statePath);
      await syncFolder(dirname(statePath));
    },
    discard: () => writeState({ request, resumeToken: "", bytes: 0 }),
    async close() {
      await file?.close();
    },
  };
}

async function readState(path: string, statePath: string, request: JsonValue): Promise<State | undefined> {
  const size = await stat(path).then((found) => found.size, missing);
  const text = await readFile(statePath, "utf8").catch(missing);
  if (text === undefined && size === undefined) return undefined;
  if (text === undefined) throw new ExportError("exists", `${path} is complete, or not an export`);
  const state = stateOf(text);
  if (state === undefined) {
    throw new ExportError("state", `${statePath} is not the state of an export; remove it to start anew`);
  }
  if (!isDeepStrictEqual(state.request, request)) {
    throw new ExportError("other-filters", `${path} was begun with ${JSON.stringify(state.request)}`);
  }
  if ((size ?? 0) < state.bytes) {
    const what = `${path} is shorter than the ${state.bytes} bytes that ${statePath} says it has`;
    throw new ExportError("state", `${what}; remove both to start anew`);
  }
  return state;
}

function missing(cause: unknown): undefined {
  if (!isCode(cause, "ENOENT")) throw cause;
}

function stateOf(text: string): State | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isState(read) ? read : undefined;
}

function isState(read: unknown): read is State {
  return (
    typeof read === "object" &&
    read !== null &&
    "request" in read &&
    "resumeToken" in read &&
    typeof read.resumeToken === "string" &&
    "bytes" in read &&
    typeof read.bytes === "number"
  );
}

async function chainOf(path: string): Promise<{ lines: bigint; chain: Buffer }> {
  let chain: Buffer = Buffer.alloc(32);
  let lines = 0n;
  let line = createHash("sha256").update(chain);
  let isOpen = false;
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    const bytes: Buffer = piece;
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      chain = line.update(bytes.subarray(from, at)).digest();
      line = createHash("sha256").update(chain);
      lines++;
      from = at + 1;
      isOpen = false;
    }
    if (from < bytes.length) {
      line.update(bytes.subarray(from));
      isOpen = true;
    }
  }
  // A line without its end is none that the service sent.
  return { lines, chain: isOpen ? Buffer.alloc(0) : chain };
}
