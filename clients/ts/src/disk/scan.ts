import { type FileHandle, link, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../log.ts";
import { isCode, readUpTo, syncFolder, writeAll } from "./durable.ts";
import { headerBytes, type Numbered, recordAt } from "./frame.ts";

const chunkBytes = 1024 * 1024;

export type Found = Numbered & { readonly position: number };

/** A part of a file that holds whole records. */
type Sound = { readonly from: number; to: number };

/**
 * Reads all records of a file. What a crash left half written at its end is cut off. Where records follow behind
 * something unreadable, the file is written anew without that, and the old one is kept beside it as `.damaged`.
 * Returns the file's length.
 */
export async function scan(path: string, log: Log, visit: (found: Found) => void): Promise<number> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const sound: Sound[] = [{ from: 0, to: 0 }];
    let kept = 0;
    let at = 0;
    while (at < size) {
      const end = await readRun(file, at, size, (found) =>
        visit({ ...found, position: kept + found.position }),
      );
      (sound.at(-1) ?? { to: 0 }).to = end;
      kept += end - at;
      if (end === size) break;
      const next = await nextRecord(file, end, size);
      if (next === undefined) {
        log.warn(`${path}: the last ${size - end} bytes were not written whole; they are cut off`);
        await file.truncate(end);
        await file.sync();
        break;
      }
      log.error(`${path}: bytes ${end} to ${next} are damaged, and what they held is lost`);
      sound.push({ from: next, to: next });
      at = next;
    }
    if (sound.length > 1) await keepSound(path, file, sound);
    return kept;
  } finally {
    await file.close();
  }
}

/** Visits records one behind the other, by their place from the first on; where the last one ends. */
async function readRun(
  file: FileHandle,
  from: number,
  size: number,
  visit: (found: Found) => void,
): Promise<number> {
  let at = from;
  let wanted = chunkBytes;
  for (;;) {
    const bytes = await readUpTo(file, at, Math.min(wanted, size - at));
    let offset = 0;
    let read = recordAt(bytes, offset);
    while (read.kind === "record") {
      visit({ number: read.number, record: read.record, position: at - from + offset });
      offset = read.end;
      read = recordAt(bytes, offset);
    }
    const isAll = at + bytes.length === size;
    at += offset;
    if (read.kind === "damaged" || isAll) return at;
    // A record that is longer than a chunk.
    wanted = offset === 0 ? headerBytes + bytes.readUInt32LE(0) : chunkBytes;
  }
}

/** Where the next whole record begins behind something unreadable; undefined where none does. */
async function nextRecord(file: FileHandle, from: number, size: number): Promise<number | undefined> {
  const bytes = await readUpTo(file, from, size - from);
  for (let at = 1; at < bytes.length - headerBytes; at++) {
    // Zeros are whole records without a byte; none is kept like that under the number 0.
    const read = recordAt(bytes, at);
    if (read.kind === "record" && read.number > 0) return from + at;
  }
  return undefined;
}

async function keepSound(path: string, file: FileHandle, sound: readonly Sound[]): Promise<void> {
  const whole = await open(`${path}.new`, "w", 0o600);
  try {
    let at = 0;
    for (const { from, to } of sound) {
      for (let part = from; part < to; part += chunkBytes) {
        const bytes = await readUpTo(file, part, Math.min(chunkBytes, to - part));
        await writeAll(whole, bytes, at);
        at += bytes.length;
      }
    }
    await whole.sync();
  } finally {
    await whole.close();
  }
  await unlink(`${path}.damaged`).catch(unlessMissing);
  await link(path, `${path}.damaged`);
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}

function unlessMissing(cause: unknown): void {
  if (!isCode(cause, "ENOENT")) throw cause;
}
