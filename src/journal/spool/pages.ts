import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * Reads rows out of the files of a damaged spool without asking SQLite, which gives up at the first page that is not in
 * order: every leaf of a table is looked at by itself, and who asks knows a row by its checksum.
 * The format is https://www.sqlite.org/fileformat2.html.
 */
export function* rowsInPages(path: string): Generator<readonly Value[]> {
  const file = openBytes(path);
  const log = openBytes(`${path}-wal`);
  try {
    const pages = pagesOf(file, log);
    for (let number = 1; number <= pages.count; number++) yield* rowsOfLeaf(pages, number);
  } finally {
    file.close();
    log.close();
  }
}

export type Value = string | number | null;

const pageBytes = 4096;
const logHeaderBytes = 32;
const frameHeaderBytes = 24;
const frameBytes = frameHeaderBytes + pageBytes;

type Pages = { readonly count: number; get(number: number): Buffer | undefined };

/** A file's bytes; one that is not there has none. Behind its end everything is zero. */
function openBytes(path: string) {
  const descriptor = existsSync(path) ? openSync(path, "r") : undefined;
  return {
    length: descriptor === undefined ? 0 : fstatSync(descriptor).size,
    read(at: number, length: number): Buffer {
      const bytes = Buffer.alloc(length);
      if (descriptor !== undefined) readSync(descriptor, bytes, 0, length, at);
      return bytes;
    },
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
    },
  };
}

type Bytes = ReturnType<typeof openBytes>;

/** The file's pages, and in their place what the log beside it has of them, to the last transaction that ended. */
function pagesOf(file: Bytes, log: Bytes): Pages {
  const inLog = new Map<number, number>();
  const inTransaction = new Map<number, number>();
  const salts = [log.read(16, 8), log.read(logHeaderBytes + 8, 8)];
  for (let at = logHeaderBytes; at + frameBytes <= log.length; at += frameBytes) {
    const header = log.read(at, frameHeaderBytes);
    // What an earlier turn of the log has left has another salt.
    if (!salts.some((salt) => salt.equals(header.subarray(8, 16)))) continue;
    inTransaction.set(header.readUInt32BE(0), at + frameHeaderBytes);
    const isItsLast = header.readUInt32BE(4) > 0;
    if (!isItsLast) continue;
    for (const [page, bytesAt] of inTransaction) inLog.set(page, bytesAt);
    inTransaction.clear();
  }
  const inFile = Math.ceil(file.length / pageBytes);
  const mostInLog = Math.floor(log.length / frameBytes);
  let count = inFile;
  for (const page of inLog.keys()) if (page <= inFile + mostInLog) count = Math.max(count, page);
  return {
    count,
    get(number) {
      const at = inLog.get(number);
      if (at !== undefined) return log.read(at, pageBytes);
      return number >= 1 && number <= inFile ? file.read((number - 1) * pageBytes, pageBytes) : undefined;
    },
  };
}

const tableLeaf = 0x0d;

function* rowsOfLeaf(pages: Pages, number: number): Generator<readonly Value[]> {
  const page = pages.get(number);
  const header = number === 1 ? 100 : 0;
  if (page === undefined || page[header] !== tableLeaf) return;
  const cells = Math.min(page.readUInt16BE(header + 3), (pageBytes - header - 8) >> 1);
  for (let i = 0; i < cells; i++) {
    const row = attempt(() => rowAt(pages, page, page.readUInt16BE(header + 8 + 2 * i)));
    if (row !== undefined) yield row;
  }
}

/** What reading damaged bytes gives; undefined where they lead out of a page. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

function rowAt(pages: Pages, page: Buffer, start: number): readonly Value[] {
  const [length, afterLength] = varint(page, start);
  const [rowid, payloadAt] = varint(page, afterLength);
  const payload = payloadOf(pages, page, payloadAt, Number(length));
  const [headerLength, first] = varint(payload, 0);
  const values: Value[] = [];
  let at = first;
  let valueAt = Number(headerLength);
  while (at < Number(headerLength)) {
    const [type, next] = varint(payload, at);
    at = next;
    const [value, bytes] = readValue(payload, valueAt, Number(type));
    // The column that is the row's own number is stored as null.
    values.push(values.length === 0 && type === 0n ? Number(rowid) : value);
    valueAt += bytes;
  }
  return values;
}

/** A payload, with what of it is on pages of its own. */
function payloadOf(pages: Pages, page: Buffer, at: number, length: number): Buffer {
  const most = pageBytes - 35;
  if (length <= most) return slice(page, at, length);
  if (length > pages.count * pageBytes) throw new RangeError("longer than all pages");
  const least = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
  const wanted = least + ((length - least) % (pageBytes - 4));
  const here = wanted <= most ? wanted : least;
  const parts = [slice(page, at, here)];
  let next = page.readUInt32BE(at + here);
  for (let left = length - here; left > 0; left -= pageBytes - 4) {
    const overflow = pages.get(next);
    if (overflow === undefined) throw new RangeError("the page is missing");
    parts.push(slice(overflow, 4, Math.min(left, pageBytes - 4)));
    next = overflow.readUInt32BE(0);
  }
  return Buffer.concat(parts);
}

const integerBytes = [0, 1, 2, 3, 4, 6, 8];

/** A value by its serial type, and how many bytes it takes. */
function readValue(payload: Buffer, at: number, type: number): [Value, number] {
  if (type === 0) return [null, 0];
  if (type === 8 || type === 9) return [type - 8, 0];
  const bytes = integerBytes[type];
  if (bytes === 8) return [Number(payload.readBigInt64BE(at)), 8];
  if (bytes !== undefined) return [payload.readIntBE(at, bytes), bytes];
  if (type < 13 || type % 2 === 0) throw new RangeError("no type of ours");
  const length = (type - 13) / 2;
  return [slice(payload, at, length).toString("utf8"), length];
}

function slice(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length > bytes.length) throw new RangeError("beyond the end");
  return bytes.subarray(at, at + length);
}

/** A number of one to nine bytes, and where it ends. */
function varint(bytes: Buffer, start: number): [bigint, number] {
  let value = 0n;
  for (let i = 0; i < 8; i++) {
    const byte = bytes.readUInt8(start + i);
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return [value, start + i + 1];
  }
  return [(value << 8n) | BigInt(bytes.readUInt8(start + 8)), start + 9];
}
