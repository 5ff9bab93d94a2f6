import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";

/** A line of a file, counted from 1, or what is wrong with it. */
export type Line =
  | { readonly kind: "text"; readonly number: number; readonly text: string }
  | { readonly kind: "bad"; readonly number: number; readonly problem: string };

/** Well over what any row may have, and under the 4 MiB that the service takes in one message. */
export const lineMaxBytes = 3 * 1024 * 1024;

const newline = 0x0a;

/**
 * The lines of a file that are not blank, unpacked when its name ends in .gz. Memory is bounded by
 * lineMaxBytes, whatever is in the file. `onRead` is told how many of the file's bytes were read. Throws
 * the system's error, or zlib's.
 */
export async function* readLines(path: string, onRead: (bytes: number) => void): AsyncGenerator<Line> {
  const file = createReadStream(path, { highWaterMark: 16 * 1024 });
  const bytes = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  if (bytes !== file) file.once("error", (cause) => bytes.destroy(cause));
  const splitter = new LineSplitter();
  try {
    for await (const chunk of bytes) {
      onRead(file.bytesRead);
      yield* splitter.lines(chunk);
    }
    yield* splitter.end();
  } finally {
    file.destroy();
  }
}

class LineSplitter {
  #number = 0;
  #open: Buffer[] = [];
  #openBytes = 0;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  *lines(chunk: Buffer): Generator<Line> {
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      this.#add(chunk.subarray(from, at));
      yield* this.#finish();
      from = at + 1;
    }
    this.#add(chunk.subarray(from));
  }

  /** A last line need not have a newline. */
  *end(): Generator<Line> {
    if (this.#openBytes > 0) yield* this.#finish();
  }

  #add(bytes: Buffer): void {
    this.#openBytes += bytes.length;
    if (this.#openBytes <= lineMaxBytes) this.#open.push(bytes);
    else this.#open = [];
  }

  *#finish(): Generator<Line> {
    const number = ++this.#number;
    const isTooLong = this.#openBytes > lineMaxBytes;
    const bytes = Buffer.concat(this.#open);
    this.#open = [];
    this.#openBytes = 0;
    if (isTooLong) {
      yield { kind: "bad", number, problem: `the line is longer than ${lineMaxBytes} bytes` };
      return;
    }
    let text: string;
    try {
      text = this.#utf8.decode(bytes);
    } catch {
      // The decoder says no more than that. Replacing what it cannot read would change the record.
      yield { kind: "bad", number, problem: "the line is not UTF-8" };
      return;
    }
    if (number === 1 && text.startsWith("\ufeff")) text = text.slice(1);
    if (text.trim() !== "") yield { kind: "text", number, text };
  }
}
