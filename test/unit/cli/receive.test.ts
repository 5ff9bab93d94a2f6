import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ExportTrailerSchema } from "../../../gen/ts/polytraders/governance/v1/export_pb.ts";
import { LineChain } from "../../../src/cli/export/lineChain.ts";
import {
  checkChain,
  ExportCut,
  ExportDamaged,
  type ExportPart,
  receiveExport,
} from "../../../src/cli/export/receive.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The trailer of a stream of these lines, by the contract's words alone. */
function trailerOf(text: string, change: { count?: bigint; sha256?: Uint8Array; complete?: boolean } = {}) {
  const lines = text.split("\n").slice(0, -1);
  let chain = Buffer.alloc(32);
  for (const line of lines) chain = createHash("sha256").update(chain).update(line).digest();
  return create(ExportTrailerSchema, {
    count: BigInt(lines.length),
    sha256: createHash("sha256").update(text).digest(),
    totalCount: BigInt(lines.length),
    chainSha256: chain,
    complete: true,
    ...change,
  });
}

async function* stream(...parts: (string | ExportPart)[]): AsyncGenerator<ExportPart> {
  for (const part of parts) {
    yield typeof part === "string" ? { jsonl: bytesOf(part), resumeToken: "t" } : part;
  }
}

function trailing(trailer: ExportPart["trailer"]): ExportPart {
  return { jsonl: new Uint8Array(), resumeToken: "", trailer };
}

test("a stream with its trailer is taken whole", async () => {
  const taken: string[] = [];
  const trailer = trailerOf("a\nb\nc\n");
  const received = await receiveExport(stream("a\nb\n", "c\n", trailing(trailer)), async (part) => {
    taken.push(Buffer.from(part.jsonl).toString());
  });
  expect(received).toBe(trailer);
  expect(taken).toEqual(["a\nb\n", "c\n"]);
});

test.each([
  ["ends without its trailer", stream("a\n"), ExportCut],
  ["has nothing at all", stream(), ExportCut],
  [
    "has a trailer that is not complete",
    stream("a\n", trailing(trailerOf("a\n", { complete: false }))),
    ExportCut,
  ],
  ["lost a line", stream("a\n", trailing(trailerOf("a\nb\n"))), ExportDamaged],
  ["has another line", stream("b\n", trailing(trailerOf("a\n"))), ExportDamaged],
  ["has a wrong count", stream("a\n", trailing(trailerOf("a\n", { count: 2n }))), ExportDamaged],
  ["goes on behind its trailer", stream("a\n", trailing(trailerOf("a\n")), "b\n"), ExportDamaged],
])("a stream that %s is not taken for whole", async (_what, parts, failure) => {
  await expect(receiveExport(parts, async () => undefined)).rejects.toBeInstanceOf(failure);
});

test("what breaks a stream is not hidden by its end", async () => {
  async function* broken(): AsyncGenerator<ExportPart> {
    yield* stream("a\n");
    throw new Error("broken");
  }
  await expect(receiveExport(broken(), async () => undefined)).rejects.toThrow("broken");
});

test("the chain over the lines is the same, however the bytes are cut into pieces", () => {
  const line = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", ""));
  const cuts = fc.array(fc.nat(200), { maxLength: 10 });
  fc.assert(
    fc.property(fc.array(line), cuts, (lines, at) => {
      const text = lines.map((each) => `${each.toWellFormed()}\n`).join("");
      const bytes = bytesOf(text);
      const chain = new LineChain();
      const edges = [0, ...at.map((n) => Math.min(n, bytes.length)), bytes.length].sort((a, b) => a - b);
      const memory = new Uint8Array(bytes.length);
      for (const [i, from] of edges.entries()) {
        // The same memory each time, as a reader of files does it.
        const piece = bytes.subarray(from, edges[i + 1] ?? bytes.length);
        memory.set(piece);
        chain.update(memory.subarray(0, piece.length));
        memory.fill(0);
      }
      expect(() => checkChain(trailerOf(text), chain)).not.toThrow();
    }),
  );
});

test.each([
  ["misses a line", "a\n", "2 lines in all"],
  ["has a line that differs", "a\nc\n", "chain of hashes"],
  ["has its lines in another order", "b\na\n", "chain of hashes"],
  ["has half a line behind the last", "a\nb\nc", "no end"],
])("a file that %s does not match the trailer", (_what, text, message) => {
  const chain = new LineChain();
  chain.update(bytesOf(text));
  expect(() => checkChain(trailerOf("a\nb\n"), chain)).toThrow(message);
});
