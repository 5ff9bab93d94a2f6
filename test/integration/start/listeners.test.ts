import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { systemClock } from "../../../src/clock.ts";
import { loadConfig } from "../../../src/config.ts";
import { unary } from "../../../src/server/call.ts";
import { listen } from "../../../src/server/listeners.ts";
import { openPipeline } from "../../../src/server/pipeline.ts";

const graceMs = 2_000;

test("calls that never end hold up both listeners together, and no longer than one", async () => {
  const clock = systemClock();
  const { grpcAddress, httpAddress, limits } = loadConfig({
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
  });
  let underWay = 0;
  const stuck = unary(UserActivityLedgerService.method.recordUserAction, 60_000, () => {
    underWay++;
    return new Promise(() => undefined);
  });
  const listeners = await listen({
    grpcAddress,
    httpAddress,
    rpcs: [stuck],
    pipeline: openPipeline(clock),
    clock,
    limits,
    tls: undefined,
    registry: new Registry(),
    health: new Map(),
    canAnswer: () => true,
    isLocalOnly: true,
    log: pino({ level: "silent" }),
  });
  const http = `http://127.0.0.1:${listeners.httpPort}`;
  const transports = [
    createGrpcTransport({ baseUrl: `http://127.0.0.1:${listeners.grpcPort}` }),
    createConnectTransport({ baseUrl: http, httpVersion: "1.1" }),
  ];
  for (const transport of transports) {
    const cut = () => undefined;
    void createClient(UserActivityLedgerService, transport).recordUserAction({}).catch(cut);
  }
  await expect.poll(() => underWay, { timeout: 10_000 }).toBe(2);
  const startedMs = performance.now();
  await listeners.close(graceMs);
  const tookMs = performance.now() - startedMs;
  expect(tookMs).toBeGreaterThan(graceMs - 100);
  expect(tookMs).toBeLessThan(1.9 * graceMs);
});
