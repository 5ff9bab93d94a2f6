// Records a million actions, exports them, and prints rows/s and how the service's memory grew:
//   node bench/exportMillion.ts [rows]
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { UserActivityLedgerService } from "../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { streamed } from "./comparisons/streamed.ts";
import { type Service, startService } from "./service.ts";

const rows = Number(process.argv[2] ?? 1_000_000);
const sampleEveryMs = 100;

/** The service process' resident memory, MiB. */
async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function fill(service: Service): Promise<number> {
  let recorded = 0;
  while (recorded < rows) {
    const { value } = await streamed.ours({ service, echo: service, database: unused, seconds: 10 });
    recorded += value * 10;
    console.error(`recorded about ${Math.round(recorded)} of ${rows}, ${Math.round(value)}/s`);
  }
  return recorded;
}

/** The filling measures our side alone, which needs no database of the peers'. */
const unused = { host: "", port: 0, user: "", password: "", database: "" };

await using service = await startService();
await fill(service);
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
for await (const { jsonl, trailer } of client.exportUserActions({}, { headers })) {
  hash.update(jsonl);
  bytes += jsonl.length;
  if (trailer !== undefined) {
    count = trailer.count;
    matches = hash.digest().equals(trailer.sha256);
  }
}
clearInterval(sampling);
const seconds = (performance.now() - started) / 1000;
console.log(
  JSON.stringify({
    rows: Number(count),
    rowsPerSecond: Math.round(Number(count) / seconds),
    mebibytesPerSecond: Math.round(bytes / 1_048_576 / seconds),
    trailerMatches: matches,
    residentBeforeMiB: Math.round(before),
    residentHighestMiB: Math.round(highest),
  }),
);
