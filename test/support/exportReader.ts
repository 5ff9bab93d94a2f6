import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { ExportTrailer } from "../../gen/ts/polytraders/governance/v1/export_pb.ts";

type Part = {
  readonly jsonl: Uint8Array;
  readonly resumeToken: string;
  readonly trailer?: ExportTrailer | undefined;
};

/** An export as it was received. */
export type ReceivedExport = {
  readonly bytes: Buffer;
  /** Each line's text, without its newline. */
  readonly lines: readonly string[];
  /** After each chunk: the bytes so far, and the token that goes on behind them. */
  readonly resumePoints: readonly { readonly bytes: number; readonly token: string }[];
  readonly trailer: ExportTrailer;
};

/** Reads an export to its end. A stream without a trailer, or with anything behind it, fails the test. */
export async function readExport(parts: AsyncIterable<Part>): Promise<ReceivedExport> {
  const chunks: Uint8Array[] = [];
  const resumePoints: { bytes: number; token: string }[] = [];
  let size = 0;
  let trailer: ExportTrailer | undefined;
  for await (const part of parts) {
    expect(trailer, "nothing follows the trailer").toBeUndefined();
    trailer = part.trailer;
    if (trailer !== undefined) {
      expect(part.jsonl).toHaveLength(0);
      continue;
    }
    expect(part.jsonl.at(-1), "a chunk ends with a whole line").toBe(0x0a);
    chunks.push(part.jsonl);
    size += part.jsonl.length;
    resumePoints.push({ bytes: size, token: part.resumeToken });
  }
  if (trailer === undefined) throw new Error("the export ended without a trailer");
  const bytes = Buffer.concat(chunks);
  return { bytes, lines: linesOf(bytes), resumePoints, trailer };
}

/** Checks what a trailer says of one stream, knowing nothing but the contract's words for its fields. */
export function expectTrailerToProve(received: ReceivedExport): void {
  const { trailer, bytes, lines } = received;
  expect(trailer.complete).toBe(true);
  expect(trailer.count).toBe(BigInt(lines.length));
  expect(hex(trailer.sha256)).toBe(createHash("sha256").update(bytes).digest("hex"));
}

/** Checks the chain over all lines since the export began, however many streams they came in. */
export function expectChainOver(lines: readonly string[], trailer: ExportTrailer): void {
  let chain = Buffer.alloc(32);
  for (const line of lines) chain = createHash("sha256").update(chain).update(line).digest();
  expect(hex(trailer.chainSha256)).toBe(chain.toString("hex"));
  expect(trailer.totalCount).toBe(BigInt(lines.length));
}

function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString().split("\n");
  expect(lines.pop(), "the last line is ended too").toBe("");
  return lines;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A JSON text with every number as it is spelt, so that 1.0 and 1 differ and no digit is lost. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" ? { number: context?.source } : value,
  );
}

/** Everything a stream gives, once it has ended. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
