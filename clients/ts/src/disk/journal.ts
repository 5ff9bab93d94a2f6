import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../log.ts";
import { isCode, readUpTo, syncFolder, writeAll } from "./durable.ts";
import { framed, headerBytes, type Numbered, recordAt } from "./frame.ts";
import { type Found, scan } from "./scan.ts";

/** A file that records are appended to. One process has it. */
export type Journal = {
  /** Bytes of the file. */
  size(): number;
  /**
   * Appends records, all or none, and resolves when they are on disk, to their places. Who waits at the same time
   * shares one fsync.
   */
  append(records: readonly Numbered[]): Promise<readonly number[]>;
  /** The record at a place; which one is asked for in turn, as the places are others once the file was compacted. */
  read(position: () => number): Promise<Numbered>;
  /** The bytes from a place on, at most so many; the last record may be cut. */
  readChunk(position: number, maxBytes: number): Promise<Buffer>;
  /** Writes the file anew with the records at these places alone, in this order; `moved` gets their new ones. */
  compact(keep: () => readonly number[], moved: (positions: readonly number[]) => void): Promise<void>;
  /** Lets what was begun finish. */
  close(): Promise<void>;
};

type Append = {
  readonly records: readonly Numbered[];
  readonly resolve: (positions: readonly number[]) => void;
  readonly reject: (cause: unknown) => void;
};

/** Opens a file, makes it when it is not there, and visits what is in it. */
export async function openJournal(path: string, log: Log, visit: (found: Found) => void): Promise<Journal> {
  let size = await scan(path, log, visit).catch((cause: unknown) => {
    if (isCode(cause, "ENOENT")) return 0;
    throw cause;
  });
  // Only makes it: what is appended has to go where the last whole record ends.
  await (await open(path, "a", 0o600)).close();
  await syncFolder(dirname(path));
  let file = await open(path, "r+");
  let waiting: Append[] = [];
  let isClosed = false;
  let failure: unknown;
  let tail: Promise<void> = Promise.resolve();

  /** One at a time, in order. */
  function inTurn(step: () => Promise<void>): Promise<void> {
    const turn = tail.then(step);
    tail = turn.catch(() => {});
    return turn;
  }

  function refuseWhenDone(): void {
    if (isClosed) throw new Error(`${path} is closed`);
    if (failure !== undefined) {
      throw new Error(`${path} takes nothing any more since its disk failed; open it again`, {
        cause: failure,
      });
    }
  }

  async function commitWaiting(): Promise<void> {
    const group = waiting;
    waiting = [];
    try {
      refuseWhenDone();
      const positions = await write(group);
      for (const { records, resolve } of group) resolve(positions.splice(0, records.length));
    } catch (cause) {
      for (const { reject } of group) reject(cause);
    }
  }

  async function write(group: readonly Append[]): Promise<number[]> {
    const records = group.flatMap((append) => append.records);
    const bytes = framed(records);
    try {
      await writeAll(file, bytes, size);
    } catch (cause) {
      // A full disk. What is written over later need not be cut off now, but a reader stops at it.
      await file.truncate(size).catch((again: unknown) => {
        failure = again;
      });
      throw cause;
    }
    try {
      await file.datasync();
    } catch (cause) {
      // The kernel may have dropped what it could not write: nothing of this file can be promised again.
      failure = cause;
      throw cause;
    }
    let position = size;
    size += bytes.length;
    return records.map(({ record }) => {
      const at = position;
      position += headerBytes + record.length;
      return at;
    });
  }

  async function read(from: FileHandle, position: number): Promise<Numbered> {
    const header = await readUpTo(from, position, headerBytes);
    const length = header.length === headerBytes ? header.readUInt32LE(0) : 0;
    const found = recordAt(await readUpTo(from, position, headerBytes + length), 0);
    if (found.kind !== "record") throw new Error(`${path}: byte ${position} does not begin a record`);
    return found;
  }

  async function writeAnew(keep: readonly number[]): Promise<number[]> {
    const next = await open(`${path}.new`, "w+", 0o600);
    try {
      const moved: number[] = [];
      let at = 0;
      for (const position of keep) {
        const bytes = await readUpTo(file, position, headerBytes);
        const whole = await readUpTo(file, position, headerBytes + bytes.readUInt32LE(0));
        await writeAll(next, whole, at);
        moved.push(at);
        at += whole.length;
      }
      await next.sync();
      await rename(`${path}.new`, path);
      await syncFolder(dirname(path));
      await file.close();
      file = next;
      size = at;
      return moved;
    } catch (cause) {
      if (file !== next) await next.close();
      throw cause;
    }
  }

  return {
    size: () => size,
    append(records) {
      return new Promise((resolve, reject) => {
        waiting.push({ records, resolve, reject });
        if (waiting.length === 1) void inTurn(commitWaiting);
      });
    },
    async read(position) {
      let found: Numbered | undefined;
      await inTurn(async () => {
        found = await read(file, position());
      });
      if (found === undefined) throw new Error(`${path} is closed`);
      return found;
    },
    readChunk: (position, maxBytes) => readUpTo(file, position, Math.min(maxBytes, size - position)),
    compact: (keep, moved) =>
      inTurn(async () => {
        refuseWhenDone();
        moved(await writeAnew(keep()));
      }),
    async close() {
      if (isClosed) return;
      await inTurn(async () => {
        isClosed = true;
        await file.close();
      });
    },
  };
}
