import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";

/** The thread of neighbour.ts: CheckWrite and RecordUserAction over both listeners, a pair at a time on each. */

const { grpcPort, httpPort, token } = workerData;
const headers = { authorization: `Bearer ${token}` };
let tookMs: number[] = [];
let failures: string[] = [];
let count = 0;

async function timed(call: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  try {
    await call();
  } catch (cause) {
    if (failures.length < 10) failures.push(String(cause));
  }
  tookMs.push(performance.now() - started);
}

async function goOn(transport: Transport): Promise<never> {
  const auditor = createClient(ParameterChangeAuditorService, transport);
  const ledger = createClient(UserActivityLedgerService, transport);
  for (;;) {
    const n = ++count;
    await Promise.all([
      timed(() =>
        auditor.checkWrite(
          { botSlug: "strategy.sports", paramName: `p${n % 50}`, editorId: "alice", newValueJson: `${n}` },
          { headers },
        ),
      ),
      timed(() =>
        ledger.recordUserAction(
          {
            eventId: `neighbour-${n}`,
            wallet: "0xdeadbeef00000000000000000000000000000001",
            sessionId: "neighbour",
            actionType: "HALT",
          },
          { headers },
        ),
      ),
    ]);
    await sleep(5);
  }
}

parentPort?.on("message", () => {
  const sorted = tookMs.sort((a, b) => a - b);
  const p99Ms = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.POSITIVE_INFINITY;
  parentPort?.postMessage({ calls: sorted.length, p99Ms, failures });
  tookMs = [];
  failures = [];
});

void goOn(createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpcPort}` }));
void goOn(createConnectTransport({ baseUrl: `http://127.0.0.1:${httpPort}`, httpVersion: "1.1" }));
