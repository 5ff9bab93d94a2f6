import { createHash, hash } from "node:crypto";
import { Failure } from "../server/failure.ts";
import type { FoundPage, Page } from "./pageQuery.ts";
import type { Place } from "./place.ts";
import type { Rewrites } from "./rewrites.ts";
import type { LogHead } from "./sequencer.ts";
import type { Tokens } from "./token.ts";

/** Where an export stands; what its resume tokens say. */
export type ExportState = {
  /** The last line sent; absent before the first. */
  readonly after: Place | undefined;
  /** Fixed when the export begins: what it covers. */
  readonly through: LogHead;
  readonly totalCount: number;
  /** The chain over all lines so far, hexadecimal. */
  readonly chain: string;
  /** What had been scrubbed and purged when the export began. */
  readonly mark: string;
  /** Replicas that may have held records back when it began; absent in a token of an older version. */
  readonly holding?: readonly string[];
};

export type ExportPart =
  | { readonly kind: "lines"; readonly jsonl: Buffer; readonly resumeToken: string }
  | {
      readonly kind: "trailer";
      readonly count: number;
      readonly sha256: Buffer;
      readonly totalCount: number;
      readonly chain: Buffer;
      readonly through: LogHead;
      readonly holding: readonly string[];
    };

/** What is read at a time. Two pages at most are in memory, whatever the sizes of the export and its records. */
const pageRows = 2_000;
const pageMaxBytes = 4 * 1024 * 1024;

/** A message is sent when it has this many bytes; gRPC clients take 4 MiB by default. */
const chunkBytes = 256 * 1024;

const chainBytes = 32;

/**
 * Streams records as JSONL, oldest first, and a trailer that proves the stream whole. The next page is
 * read while the caller takes the last one; a slow caller stops the reading. Any end without a trailer
 * is an error: EXPORT_CHANGED when records it had promised were scrubbed or purged meanwhile.
 */
export async function* exportStream<Row extends { readonly place: Place }>(source: {
  readonly resume: ExportState | undefined;
  /** The head of the log now, everything committed before the call below it. */
  readonly head: LogHead;
  readonly page: (page: Page) => Promise<FoundPage<Row>>;
  /** A row's JSON on one line, without the newline. */
  readonly line: (row: Row) => string;
  readonly tokens: Tokens<ExportState>;
  readonly filters: string;
  readonly rewrites: Rewrites;
  /** Replicas that may hold records back, asked before the head: what they drain later is then named. */
  readonly holding: readonly string[];
}): AsyncGenerator<ExportPart> {
  const through = source.resume?.through ?? source.head;
  if (through.epoch !== source.head.epoch) {
    throw new Failure(
      "LOG_EPOCH_CHANGED",
      "the log has begun a new epoch since the export began; start it again",
    );
  }
  // Before the first page: whatever is scrubbed or purged from now on was promised.
  const mark = source.resume?.mark ?? (await source.rewrites.mark());
  if (source.resume !== undefined) await source.rewrites.refuseSince(mark);
  const holding = source.resume === undefined ? source.holding : (source.resume.holding ?? []);
  let after = source.resume?.after;
  let totalCount = source.resume?.totalCount ?? 0;
  let count = 0;
  let chain: Buffer = source.resume ? Buffer.from(source.resume.chain, "hex") : Buffer.alloc(chainBytes);
  const streamHash = createHash("sha256");
  const chunk = new ChunkBuffer();

  function flush(): ExportPart {
    const jsonl = chunk.take();
    streamHash.update(jsonl);
    const state = { after, through, totalCount, chain: chain.toString("hex"), mark, holding };
    return { kind: "lines", jsonl, resumeToken: source.tokens.seal(state, source.filters) };
  }

  const read = (from: Place | undefined) =>
    source.page({ order: "oldest", after: from, through, limit: pageRows, maxBytes: pageMaxBytes });
  let next = read(after);
  for (let more = true; more; ) {
    const page = await next;
    more = page.more;
    const last = page.records.at(-1);
    if (more && last !== undefined) {
      // Reading ahead: its rejection is awaited in the next turn, or dropped when the caller leaves.
      next = read(last.place);
      next.catch(() => undefined);
    }
    for (const row of page.records) {
      chain = chunk.append(source.line(row), chain);
      after = row.place;
      count++;
      totalCount++;
      if (chunk.length >= chunkBytes) yield flush();
    }
  }
  if (chunk.length > 0) yield flush();
  await source.rewrites.refuseSince(mark);
  yield { kind: "trailer", count, sha256: streamHash.digest(), totalCount, chain, through, holding };
}

const lineEnds = /[\u0085\u2028\u2029]/g;

/** JSON allows these inside strings, and many readers of lines split at them. */
function escapeLineEnds(line: string): string {
  return line.search(lineEnds) === -1
    ? line
    : line.replace(lineEnds, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Collects lines as bytes, and hashes each with the chain before it where it lies. */
class ChunkBuffer {
  #bytes = Buffer.allocUnsafe(chunkBytes * 2);
  #scratch = Buffer.allocUnsafe(4096);
  length = 0;

  append(text: string, chain: Buffer): Buffer {
    let size = Buffer.byteLength(text);
    let line = text;
    if (size !== text.length) {
      // Text that is not all ASCII: only there can such line ends be.
      line = escapeLineEnds(text);
      size = Buffer.byteLength(line);
    }
    if (chainBytes + size > this.#scratch.length) this.#scratch = Buffer.allocUnsafe((chainBytes + size) * 2);
    chain.copy(this.#scratch);
    this.#scratch.write(line, chainBytes);
    if (this.length + size + 1 > this.#bytes.length) {
      const larger = Buffer.allocUnsafe((this.length + size + 1) * 2);
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    this.#scratch.copy(this.#bytes, this.length, chainBytes, chainBytes + size);
    this.#bytes[this.length + size] = 0x0a;
    this.length += size + 1;
    return hash("sha256", this.#scratch.subarray(0, chainBytes + size), "buffer");
  }

  /** Hands the bytes over; the next chunk gets bytes of its own, as these are still to be sent. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length);
    this.#bytes = Buffer.allocUnsafe(chunkBytes * 2);
    this.length = 0;
    return taken;
  }
}

/** Whether a value read back from a token is an export's state. */
export function isExportState(value: unknown): value is ExportState {
  return (
    typeof value === "object" &&
    value !== null &&
    "through" in value &&
    "chain" in value &&
    "totalCount" in value &&
    "mark" in value
  );
}
