import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/ts/grpc/health/v1/health_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { systemClock } from "../../../src/clock.ts";
import { loadConfig } from "../../../src/config.ts";
import { unary } from "../../../src/server/call.ts";
import { listenGrpc } from "../../../src/server/grpcListener.ts";
import { openPipeline } from "../../../src/server/pipeline.ts";

test("who watches a service is told whenever its calls cannot be answered, can be again, and when it stops", async () => {
  let canRecord = true;
  const clock = systemClock();
  const { grpcAddress, limits } = loadConfig({ GOVERNANCE_GRPC_ADDR: "127.0.0.1:0" });
  const listener = await listenGrpc({
    address: grpcAddress,
    rpcs: [
      unary(UserActivityLedgerService.method.recordUserAction, 1000, () => Promise.reject(new Error())),
      unary(ParameterChangeAuditorService.method.checkWrite, 1000, () => Promise.reject(new Error())),
    ],
    pipeline: openPipeline(clock),
    clock,
    limits,
    tls: undefined,
    canAnswer: (service) => service !== UserActivityLedgerService.typeName || canRecord,
  });
  const health = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${listener.port}` }));
  const watch = (service: string) => {
    const seen: Status[] = [];
    const ended = (async () => {
      for await (const { status } of health.watch({ service })) seen.push(status);
    })();
    return { seen, ended };
  };
  const ledger = watch(UserActivityLedgerService.typeName);
  const auditor = watch(ParameterChangeAuditorService.typeName);
  const whole = watch("");
  const { SERVING, NOT_SERVING } = Status;
  await expect.poll(() => [ledger.seen, auditor.seen, whole.seen]).toEqual([[SERVING], [SERVING], [SERVING]]);

  canRecord = false;
  await expect.poll(() => ledger.seen, { timeout: 5_000 }).toEqual([SERVING, NOT_SERVING]);
  expect((await health.check({ service: UserActivityLedgerService.typeName })).status).toBe(NOT_SERVING);
  canRecord = true;
  await expect.poll(() => ledger.seen, { timeout: 5_000 }).toEqual([SERVING, NOT_SERVING, SERVING]);
  expect([auditor.seen, whole.seen]).toEqual([[SERVING], [SERVING]]);

  await listener.close(1_000);
  await Promise.all([ledger.ended, auditor.ended, whole.ended]);
  expect(ledger.seen).toEqual([SERVING, NOT_SERVING, SERVING, NOT_SERVING]);
  expect([auditor.seen, whole.seen]).toEqual([
    [SERVING, NOT_SERVING],
    [SERVING, NOT_SERVING],
  ]);
});
