import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/ts/grpc/health/v1/health_pb.ts";
import { contract } from "../../../src/server/contract.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { refused } from "./refusals.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

function healthOf(one: TestService) {
  return createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${one.grpcPort}` }));
}

describe("health can be asked without a token", () => {
  test.each(["", ...contract.map((one) => one.typeName)])("of %j", async (name) => {
    expect((await healthOf(service).check({ service: name })).status).toBe(Status.SERVING);
  });

  test("and an unknown service is not found", async () => {
    const refusal = await refused(() => healthOf(service).check({ service: "other.v1.Service" }));
    expect(refusal).toMatchObject({ code: "NotFound", reason: "NOT_FOUND" });
  });

  test("and watching an unknown service says so", async () => {
    const leave = new AbortController();
    const watched = healthOf(service).watch({ service: "other.v1.Service" }, { signal: leave.signal });
    const first = await watched[Symbol.asyncIterator]().next();
    leave.abort();
    expect(first.value?.status).toBe(Status.SERVICE_UNKNOWN);
  });
});

test("who watches is told when the service stops", async () => {
  const stopping = await startTestService();
  const seen: Status[] = [];
  const watching = (async () => {
    for await (const { status } of healthOf(stopping).watch({ service: "" })) seen.push(status);
  })();
  await expect.poll(() => seen).toEqual([Status.SERVING]);
  await stopping[Symbol.asyncDispose]();
  await watching;
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]);
});
