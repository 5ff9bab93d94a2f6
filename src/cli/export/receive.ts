import { createHash } from "node:crypto";
import type { ExportTrailer } from "../../../gen/ts/polytraders/governance/v1/export_pb.ts";
import type { LineChain } from "./lineChain.ts";

/** What the messages of both exports have. */
export type ExportPart = {
  readonly jsonl: Uint8Array;
  readonly resumeToken: string;
  readonly trailer?: ExportTrailer | undefined;
};

/** The stream ended, and what had come of it is not all. */
export class ExportCut extends Error {
  override readonly name = "ExportCut";
}

/** What came is not what the service says it sent. */
export class ExportDamaged extends Error {
  override readonly name = "ExportDamaged";
}

/**
 * Takes an export's stream and checks it against its trailer: lines and SHA-256 of this stream. Throws
 * ExportCut when it ends without one, however quietly, and ExportDamaged when they differ.
 */
export async function receiveExport(
  parts: AsyncIterable<ExportPart>,
  take: (part: ExportPart) => Promise<void>,
): Promise<ExportTrailer> {
  const sha256 = createHash("sha256");
  let lines = 0n;
  let trailer: ExportTrailer | undefined;
  for await (const part of parts) {
    if (trailer !== undefined) throw new ExportDamaged("something came behind the trailer");
    if (part.jsonl.length > 0) {
      sha256.update(part.jsonl);
      lines += countLines(part.jsonl);
      await take(part);
    }
    trailer = part.trailer;
  }
  if (trailer === undefined) throw new ExportCut("the stream ended without its trailer");
  if (!trailer.complete) throw new ExportCut("the trailer does not say that the export is complete");
  if (trailer.count !== lines) {
    throw new ExportDamaged(`the trailer says ${trailer.count} lines, and ${lines} came`);
  }
  if (!sha256.digest().equals(trailer.sha256)) {
    throw new ExportDamaged("the SHA-256 of what came is not the trailer's");
  }
  return trailer;
}

/** Checks the chain over all lines since the export began. Throws ExportDamaged. */
export function checkChain(trailer: ExportTrailer, whole: LineChain): void {
  if (!whole.isWhole) throw new ExportDamaged("its last line has no end");
  if (trailer.totalCount !== BigInt(whole.lines)) {
    throw new ExportDamaged(
      `the trailer says ${trailer.totalCount} lines in all, and there are ${whole.lines}`,
    );
  }
  if (!whole.chain.equals(trailer.chainSha256)) {
    throw new ExportDamaged("the chain of hashes over its lines is not the trailer's");
  }
}

const newline = 0x0a;

function countLines(jsonl: Uint8Array): bigint {
  let lines = 0n;
  for (let at = jsonl.indexOf(newline); at !== -1; at = jsonl.indexOf(newline, at + 1)) lines++;
  return lines;
}
