import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserActivityLedgerService } from "../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Service } from "./service.ts";

const sampleEveryMs = 100;

export type Exported = {
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly mebibytesPerSecond: number;
  /** Whether the bytes have the trailer's hash. */
  readonly trailerMatches: boolean;
  /** The service process' resident memory before, and its highest while exporting. */
  readonly residentBeforeMiB: number;
  readonly residentHighestMiB: number;
};

/** Exports everything over gRPC, checks it against the trailer, and watches the service's memory. */
export async function exportAll(service: Service): Promise<Exported> {
  const transport = createGrpcTransport({ baseUrl: `http://${service.host}:${service.port}` });
  const client = createClient(UserActivityLedgerService, transport);
  const headers = { authorization: service.authorization.compliance };
  const before = await residentMiB(service.pid);
  let highest = before;
  const sampling = setInterval(async () => {
    highest = Math.max(highest, await residentMiB(service.pid));
  }, sampleEveryMs);
  const started = performance.now();
  const hash = createHash("sha256");
  let bytes = 0;
  let count = 0n;
  let matches = false;
  try {
    for await (const { jsonl, trailer } of client.exportUserActions({}, { headers })) {
      hash.update(jsonl);
      bytes += jsonl.length;
      if (trailer !== undefined) {
        count = trailer.count;
        matches = hash.digest().equals(trailer.sha256);
      }
    }
  } finally {
    clearInterval(sampling);
  }
  const seconds = (performance.now() - started) / 1000;
  return {
    rows: Number(count),
    rowsPerSecond: Math.round(Number(count) / seconds),
    mebibytesPerSecond: Math.round(bytes / 1_048_576 / seconds),
    trailerMatches: matches,
    residentBeforeMiB: Math.round(before),
    residentHighestMiB: Math.round(highest),
  };
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
