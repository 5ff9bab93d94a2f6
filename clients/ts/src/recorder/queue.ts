import { type FileHandle, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { readUpTo, writeAll } from "../disk/durable.ts";
import { framed, headerBytes, recordAt } from "../disk/frame.ts";
import { type Journal, openJournal } from "../disk/journal.ts";
import { RecorderFullError } from "../errors.ts";
import type { Log } from "../log.ts";

/** A file takes no more than this, and is removed once the service has all of it. */
const segmentBytes = 8 * 1024 * 1024;
const chunkBytes = 1024 * 1024;
const ackedEveryMs = 200;

/** The contract takes 1,000 records a batch and 4 MiB a message. */
const batchRecords = 500;
const batchBytes = 2 * 1024 * 1024;

export type Batch = { readonly first: number; readonly records: readonly Uint8Array[] };

/** Records on disk, numbered from 1, until they are acked. */
export type Queue = {
  /** The number of the newest record on disk, and of the last that was acked. */
  last(): number;
  acked(): number;
  /** Keeps records, all or none; resolves when they are on disk. Throws a RecorderFullError. */
  add(records: readonly Uint8Array[]): Promise<void>;
  /** Counts what was added, or failed to be: after another count there may be more to read. */
  changes(): number;
  /** The next records from a number on, with consecutive numbers; undefined where there are none yet. */
  read(from: number): Promise<Batch | undefined>;
  /** Everything up to this number may go; `bytes` were in it. */
  ack(number: number, bytes: number): Promise<void>;
  close(): Promise<void>;
};

type Segment = {
  readonly path: string;
  readonly journal: Journal;
  last: number;
  /** Appends that are on their way. */
  open: number;
};

/** Where the next read goes on. */
type Cursor = { segment: Segment; position: number; chunk: Buffer; offset: number; next: number };

/** Opens the files `<name>-1.log`, `<name>-2.log` … of a folder. `changed` is called when `last` or `acked` has. */
export async function openQueue(
  folder: string,
  name: string,
  maxBytes: number,
  log: Log,
  changed: () => void,
): Promise<Queue> {
  const mark = await openMark(join(folder, `${name}.acked`));
  let acked = mark.read;
  let last = acked;
  let bytes = 0;
  const segments: Segment[] = [];
  const form = new RegExp(`^${name}-(\\d+)\\.log$`);
  const found = (await readdir(folder)).flatMap((entry) => form.exec(entry)?.slice(1).map(Number) ?? []);
  let lastFile = 0;
  for (const file of found.sort((a, b) => a - b)) await addSegment(file);
  if (segments.length === 0) await addSegment(1);
  let next = last + 1;
  let cursor: Cursor | undefined;
  let rotating: Promise<void> | undefined;
  let changes = 0;
  let reading: Promise<unknown> = Promise.resolve();

  async function addSegment(file: number): Promise<void> {
    const path = join(folder, `${name}-${file}.log`);
    let lastIn = 0;
    const journal = await openJournal(path, log, ({ number, record }) => {
      lastIn = Math.max(lastIn, number);
      if (number > acked) bytes += record.length;
    });
    last = Math.max(last, lastIn);
    lastFile = file;
    segments.push({ path, journal, last: lastIn, open: 0 });
  }

  function current(): Segment {
    const segment = segments.at(-1);
    if (segment === undefined) throw new Error(`${folder} is closed`);
    return segment;
  }

  /** Moves on to a new file. Until it is there, records go to the one that is full. */
  function rotateWhenFull(): void {
    if (rotating !== undefined || current().journal.size() < segmentBytes) return;
    rotating = addSegment(lastFile + 1)
      .then(removeAcked)
      .catch((cause: unknown) => log.warn(`no new file in ${folder}: ${String(cause)}`))
      .finally(() => {
        rotating = undefined;
      });
  }

  /** The last file stays: it knows the numbers that were given out. */
  async function removeAcked(): Promise<void> {
    for (;;) {
      const [oldest] = segments;
      if (oldest === undefined || oldest === current() || oldest.open > 0 || oldest.last > acked) return;
      segments.shift();
      if (cursor?.segment === oldest) cursor = undefined;
      await oldest.journal.close();
      await unlink(oldest.path);
    }
  }

  /** Fills the cursor's chunk from where its records end; false where there are no more in its file. */
  async function refill(at: Cursor): Promise<boolean> {
    at.position += at.offset;
    at.offset = 0;
    const left = at.segment.journal.size() - at.position;
    at.chunk = await at.segment.journal.readChunk(at.position, Math.min(left, chunkBytes));
    if (at.chunk.length < headerBytes) return false;
    const wanted = headerBytes + at.chunk.readUInt32LE(0);
    if (wanted > at.chunk.length) at.chunk = await at.segment.journal.readChunk(at.position, wanted);
    return true;
  }

  function cursorAt(from: number): Cursor | undefined {
    if (cursor?.next === from) return cursor;
    // What is on its way to an older file may have lower numbers than what is already in a newer one.
    const segment = segments.find((one) => one.last >= from || one.open > 0);
    return segment && { segment, position: 0, chunk: Buffer.alloc(0), offset: 0, next: from };
  }

  async function read(from: number): Promise<Batch | undefined> {
    const at = cursorAt(from);
    if (at === undefined) return undefined;
    cursor = at;
    const records: Uint8Array[] = [];
    let first = from;
    let size = 0;
    for (;;) {
      const one = recordAt(at.chunk, at.offset);
      if (one.kind !== "record") {
        if (records.length > 0) break;
        if (one.kind === "damaged") throw new Error(`${at.segment.path} cannot be read any more`);
        if (await refill(at)) continue;
        // What is still on its way to this file comes first.
        const following = segments[segments.indexOf(at.segment) + 1];
        if (following === undefined || at.segment.open > 0 || at.position < at.segment.journal.size()) break;
        Object.assign(at, { segment: following, position: 0, chunk: Buffer.alloc(0), offset: 0 });
        continue;
      }
      if (one.number >= from) {
        if (records.length === 0) first = one.number;
        if (one.number !== first + records.length) break;
        if (records.length === batchRecords || (size > 0 && size + one.record.length > batchBytes)) break;
        records.push(one.record);
        size += one.record.length;
        at.next = one.number + 1;
      }
      at.offset = one.end;
    }
    return records.length === 0 ? undefined : { first, records };
  }

  return {
    last: () => last,
    acked: () => acked,
    changes: () => changes,
    async add(records) {
      if (records.length === 0) return;
      const size = records.reduce((sum, record) => sum + record.length, 0);
      if (bytes + size > maxBytes) {
        throw new RecorderFullError(
          `${bytes} bytes of ${name} wait in ${folder}, and no more than ${maxBytes} may`,
        );
      }
      const numbered = records.map((record) => ({ number: next++, record }));
      const lastOf = numbered.at(-1)?.number ?? 0;
      const segment = current();
      bytes += size;
      segment.open++;
      try {
        await segment.journal.append(numbered);
        segment.last = Math.max(segment.last, lastOf);
        last = Math.max(last, lastOf);
      } catch (cause) {
        bytes -= size;
        throw cause;
      } finally {
        segment.open--;
        changes++;
        changed();
      }
      rotateWhenFull();
    },
    // In turn: a stream that was cut may still be reading when the next one begins.
    read(from) {
      const turn = reading.then(() => read(from));
      reading = turn.catch(() => {});
      return turn;
    },
    async ack(number, size) {
      if (number <= acked) return;
      acked = number;
      bytes = Math.max(0, bytes - size);
      mark.write(acked);
      changed();
      await removeAcked();
    },
    async close() {
      await rotating;
      await reading;
      await mark.close(acked);
      for (const { journal } of segments.splice(0)) await journal.close();
    },
  };
}

/** The last acked number, written now and then. What a crash loses of it is sent again, and folds. */
type Mark = { readonly read: number; write(number: number): void; close(number: number): Promise<void> };

async function openMark(path: string): Promise<Mark> {
  await (await open(path, "a", 0o600)).close();
  const file: FileHandle = await open(path, "r+");
  const found = recordAt(await readUpTo(file, 0, headerBytes), 0);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let newest = 0;
  const writeDown = () =>
    writeAll(file, framed([{ number: newest, record: new Uint8Array() }]), 0).catch(() => {});
  let writing: Promise<void> = Promise.resolve();
  return {
    read: found.kind === "record" ? found.number : 0,
    write(number) {
      newest = number;
      timer ??= setTimeout(() => {
        timer = undefined;
        writing = writing.then(writeDown);
      }, ackedEveryMs);
    },
    async close(number) {
      clearTimeout(timer);
      newest = number;
      await writing.then(writeDown);
      await file.close();
    },
  };
}
