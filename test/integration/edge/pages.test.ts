import { afterAll, beforeAll, expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { createTestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { callGrpc, callHttp, grpcClient, pathOf } from "./raw.ts";
import { outcomeOf } from "./refusals.ts";

let proxy: DatabaseProxy;
let service: TestService;
const parts = new AsyncDisposableStack();
beforeAll(async () => {
  const database = parts.use(await createTestDatabase());
  proxy = parts.use(await startDatabaseProxy());
  service = parts.use(
    await startTestService({ database, env: { DATABASE_URL: proxy.through(database.url("service")) } }),
  );
});
afterAll(() => parts.disposeAsync());

async function page(path: string): Promise<[number, string]> {
  const answer = await callHttp(service.httpPort, path, { method: "GET" });
  return [answer.status, answer.body.toString()];
}

/** The value of a metric's line; undefined when there is none. */
async function metric(line: string): Promise<number | undefined> {
  const [, text] = await page("/metrics");
  const value = text
    .split("\n")
    .find((one) => one.startsWith(`${line} `))
    ?.slice(line.length + 1);
  return value === undefined ? undefined : Number(value);
}

const calls = (method: string, code: string) =>
  metric(`polytraders_gov_rpc_calls_total{method="${method}",code="${code}"}`);

test("the pages are read without a token", async () => {
  expect(await page("/healthz")).toEqual([200, "ok\n"]);
  expect(await page("/readyz?verbose")).toEqual([200, "ready\n"]);
  const answer = await callHttp(service.httpPort, "/metrics", { method: "GET" });
  expect(answer.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
  const head = await callHttp(service.httpPort, "/healthz", { method: "HEAD" });
  expect([head.status, head.body.length, head.headers["content-length"]]).toEqual([200, 0, "3"]);
});

test("the metrics have the names and labels of the specifications", async () => {
  const bot = service.client(UserActivityLedgerService, await service.token({ roles: ["bot"] }));
  const action = { wallet: "0xdeadbeef00000000000000000000000000000001", sessionId: "s" };
  await bot.recordUserAction({ ...action, eventId: "1", actionType: "KILL_SWITCH" });
  await bot.recordUserAction({ ...action, eventId: "2", actionType: "NOBODY_KNOWS_IT" });
  await bot.recordUserAction({ ...action, eventId: "2", actionType: "NOBODY_KNOWS_IT" });
  const actions = (type: string) =>
    metric(`polytraders_gov_useractivityledger_actions_total{action_type="${type}"}`);
  expect(await actions("KILL_SWITCH")).toBe(1);
  expect(await actions("OTHER")).toBe(1);
  expect(await metric("polytraders_gov_useractivityledger_retention_days")).toBe(2555);
  const [, text] = await page("/metrics");
  for (const name of [
    "polytraders_gov_useractivityledger_actions_total counter",
    "polytraders_gov_useractivityledger_retention_days gauge",
    "polytraders_gov_parameterchangeauditor_changes_total counter",
    "polytraders_gov_parameterchangeauditor_rejections_total counter",
    "process_resident_memory_bytes gauge",
  ]) {
    expect(text).toContain(`# TYPE ${name}\n`);
  }
});

test("calls are counted by method and code, refused ones too, on both listeners", async () => {
  const list = "UserActivityLedgerService/ListUserActions";
  const path = pathOf(UserActivityLedgerService.method.listUserActions);
  const tokens = {
    compliance: await service.token({ roles: ["compliance"] }),
    bot: await service.token({ roles: ["bot"] }),
  };
  using grpc = grpcClient(service.grpcPort);
  const overGrpc = (token?: string, bytes: Uint8Array = new Uint8Array()) =>
    callGrpc(grpc, path, { requests: [bytes], ...(token === undefined ? {} : { token }) });
  const overHttp = (token?: string, body = "{}") =>
    callHttp(service.httpPort, path, { token, body, headers: { "content-type": "application/json" } });

  await Promise.all([overGrpc(tokens.compliance), overHttp(tokens.compliance)]);
  await Promise.all([overGrpc(tokens.bot), overHttp(tokens.bot)]);
  await Promise.all([overGrpc(), overHttp()]);
  await Promise.all([overGrpc(tokens.compliance, Buffer.from([0xff])), overHttp(tokens.compliance, "{")]);
  for (const code of ["OK", "PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT"]) {
    expect(await calls(list, code), code).toBe(2);
    const timed = `polytraders_gov_rpc_seconds_count{method="${list}",code="${code}"}`;
    expect(await metric(timed), code).toBe(2);
  }
});

test("a stream is counted as its last word", async () => {
  const ledger = service.client(UserActivityLedgerService, await service.token({ roles: ["compliance"] }));
  for await (const _ of ledger.exportUserActions({}));
  await outcomeOf(async () => {
    for await (const _ of ledger.exportUserActions({ wallet: "none" }));
  });
  const method = "UserActivityLedgerService/ExportUserActions";
  expect([await calls(method, "OK"), await calls(method, "INVALID_ARGUMENT")]).toEqual([1, 1]);
});

test("the service is alive and ready whether its database is there or not: it is needed most without", async () => {
  const all = async () => [await page("/readyz"), await page("/healthz")];
  const answers = [
    [200, "ready\n"],
    [200, "ok\n"],
  ];
  for (const breakIt of [proxy.cut, proxy.freeze]) {
    breakIt();
    await expect
      .poll(async () => (await page("/internal/health/parameterchangeauditor"))[0], { timeout: 10_000 })
      .toBe(503);
    expect(await all()).toEqual(answers);
    proxy.mend();
    proxy.thaw();
    await expect
      .poll(async () => (await page("/internal/health/parameterchangeauditor"))[0], { timeout: 10_000 })
      .toBe(200);
  }
});
