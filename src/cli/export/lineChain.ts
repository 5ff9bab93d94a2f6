import { hash } from "node:crypto";

const chainBytes = 32;
const newline = 0x0a;

/**
 * Recomputes what an export's trailer says of its lines, from bytes that come in pieces of any size: how
 * many lines, and the chain h(0) = 32 zero bytes, h(n) = SHA-256 of h(n-1) and line n without its newline.
 */
export class LineChain {
  lines = 0;
  #chain: Buffer = Buffer.alloc(chainBytes);
  /** The beginning of a line whose end has not come yet. */
  #open: Buffer[] = [];

  update(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let from = 0;
    for (let at = buffer.indexOf(newline); at !== -1; at = buffer.indexOf(newline, from)) {
      this.#end(buffer.subarray(from, at));
      from = at + 1;
    }
    // Copied: whoever reads a file may hand the same memory in again, with other bytes in it.
    if (from < buffer.length) this.#open.push(Buffer.from(buffer.subarray(from)));
  }

  #end(rest: Buffer): void {
    this.#chain = hash("sha256", Buffer.concat([this.#chain, ...this.#open, rest]), "buffer");
    this.#open = [];
    this.lines++;
  }

  /** Whether the last line has its newline. */
  get isWhole(): boolean {
    return this.#open.length === 0;
  }

  get chain(): Buffer {
    return this.#chain;
  }
}
