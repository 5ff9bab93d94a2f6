import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/ts/grpc/health/v1/health_pb.ts";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { auditorAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";

const ledger = "useractivityledger";
const auditor = "parameterchangeauditor";

const parts = new AsyncDisposableStack();
let proxy: DatabaseProxy;
let service: TestService;
beforeAll(async () => {
  const database = parts.use(await createTestDatabase());
  proxy = parts.use(await startDatabaseProxy());
  const env = { DATABASE_URL: proxy.through(database.url("service")) };
  service = parts.use(await startTestService({ database, env }));
});
afterAll(() => parts.disposeAsync());

type Body = {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly status: string; readonly value: unknown }>>;
};

async function health(
  bot: string,
  of = service,
): Promise<{ status: number; type: string; body: Body; tookMs: number }> {
  const startedMs = performance.now();
  const answer = await fetch(`http://127.0.0.1:${of.httpPort}/internal/health/${bot}`);
  const body: Body = JSON.parse(await answer.text());
  const type = answer.headers.get("content-type") ?? "";
  return { status: answer.status, type, body, tookMs: performance.now() - startedMs };
}

test("without a token each bot tells how it is, and what of", async () => {
  const { status, type, body } = await health(ledger);
  expect([status, type]).toEqual([200, "application/json"]);
  expect(body).toMatchObject({
    bot_id: "gov.useractivityledger",
    checks: {
      postgres_reachable: { status: "green", value: true, limit: true },
      buffer_size: { value: 0, limit: 500 },
      retention_days: { status: "green", value: 2555, limit: 2555 },
    },
    version: { spec: "2.0.0", schema: 2 },
  });
});

test("the auditor is idle until a change is recorded, by this replica or another one", async () => {
  const last = async () => (await health(auditor)).body.checks.last_change_seconds;
  expect(await last()).toMatchObject({ status: "amber", value: null });
  const env = { GOVERNANCE_SCRUB_KEY_FILE: `${service.dataDir}/scrub.key` };
  await using other = await startTestService({ database: service.database, env });
  const answer = await (await auditorAs(other, "config-store")).checkWrite(write("elsewhere"));
  expect(answer.durability).toBe(Durability.DURABLE);
  expect((await health(auditor, other)).body.checks.last_change_seconds).toMatchObject({ status: "green" });
  await expect.poll(last, { timeout: 15_000 }).toMatchObject({ status: "green" });
});

test("a retention below its floor is red, and does not keep the service from starting", async () => {
  const config = `
gov.useractivityledger: { retain_days: 30 }
gov.parameterchangeauditor: { retain_history_days: 200 }`;
  await using low = await startTestService({ config });
  const red = await health(ledger, low);
  expect([red.status, red.body.status]).toEqual([503, "red"]);
  expect(red.body.checks.retention_days).toMatchObject({ status: "red", value: 30 });
  const amber = await health(auditor, low);
  expect([amber.status, amber.body.status]).toEqual([200, "amber"]);
  expect(amber.body.checks.retention_history_days).toMatchObject({ status: "amber", value: 200 });
});

test("with a Postgres that says nothing the auditor is red, is told at once, and goes on being served", async () => {
  const grpc = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${service.grpcPort}` }));
  const statusOf = async (name: string) => (await grpc.check({ service: name })).status;
  proxy.freeze();
  await expect.poll(async () => (await health(auditor)).body.status, { timeout: 10_000 }).toBe("red");
  const tookMs: number[] = [];
  for (let i = 0; i < 25; i++) tookMs.push((await health(i % 2 === 0 ? auditor : ledger)).tookMs);
  expect(tookMs.sort((a, b) => a - b)[12]).toBeLessThan(100);
  expect((await health(auditor)).status).toBe(503);
  expect((await health(ledger)).body.checks.postgres_reachable).toMatchObject({ value: false });
  expect(await statusOf("")).toBe(Status.SERVING);
  expect(await statusOf(ParameterChangeAuditorService.typeName)).toBe(Status.SERVING);

  proxy.thaw();
  await expect.poll(async () => (await health(auditor)).status, { timeout: 10_000 }).toBe(200);
  expect(await statusOf(UserActivityLedgerService.typeName)).toBe(Status.SERVING);
});
