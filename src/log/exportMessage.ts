import type { ExportTrailer } from "../../gen/ts/polytraders/governance/v1/export_pb.ts";
import type { ExportPart } from "./exportStream.ts";

/** A part of an export as the contract's messages have it, those of both bots alike. */
export function exportMessage(part: ExportPart): {
  jsonl: Uint8Array;
  resumeToken: string;
  trailer?: ExportTrailer;
} {
  if (part.kind === "lines") return { jsonl: part.jsonl, resumeToken: part.resumeToken };
  return { jsonl: new Uint8Array(), resumeToken: "", trailer: trailerOf(part) };
}

function trailerOf(part: Extract<ExportPart, { kind: "trailer" }>): ExportTrailer {
  return {
    $typeName: "polytraders.governance.v1.ExportTrailer",
    count: BigInt(part.count),
    sha256: part.sha256,
    totalCount: BigInt(part.totalCount),
    chainSha256: part.chain,
    complete: true,
    epoch: BigInt(part.through.epoch),
    throughPosition: BigInt(part.through.position),
    replicasWithSpooledRecords: [...part.holding],
  };
}
