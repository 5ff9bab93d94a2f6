import http from "node:http";
import http2 from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExportUserActionsResponseSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { envelope, pathOf, unwrap } from "./raw.ts";
import { collected } from "./refusals.ts";

const path = pathOf(UserActivityLedgerService.method.exportUserActions);
const megabyte = 1024 * 1024;
const actions = 500;
const paramsJson = JSON.stringify({ text: "x".repeat(60_000) });

let service: TestService;
let authorization: string;
beforeAll(async () => {
  service = await startTestService();
  authorization = `Bearer ${await service.token({ roles: ["compliance"] })}`;
  const bot = service.client(UserActivityLedgerService, await service.token({ roles: ["bot"] }));
  await collected(bot.streamUserActions(batches()));
});
afterAll(() => service[Symbol.asyncDispose]());

/** 30 MB of actions. */
async function* batches() {
  yield { message: { case: "open" as const, value: { streamId: "load" } } };
  for (let first = 0; first < actions; first += 50) {
    const some = Array.from({ length: 50 }, (_, i) => ({
      eventId: `event-${first + i}`,
      wallet: "0xdeadbeef00000000000000000000000000000001",
      sessionId: "session",
      actionType: "HALT",
      paramsJson,
    }));
    yield { message: { case: "batch" as const, value: { firstOffset: BigInt(first + 1), actions: some } } };
  }
}

v8.setFlagsFromString("--expose_gc");
const gc: unknown = vm.runInNewContext("gc");

/** What the process holds on to, in bytes. */
async function held(): Promise<number> {
  if (typeof gc !== "function") throw new Error("no gc");
  // Buffers are given back in the turn after their owners were collected.
  for (let round = 0; round < 3; round++) {
    gc();
    await sleep(50);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Nothing is read for a while; then the rest has to come to its end. */
async function expectLittleHeldFor(stream: NodeJS.ReadableStream, before: number): Promise<Buffer> {
  await sleep(500);

  expect((await held()) - before).toBeLessThan(20 * megabyte);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

test("a caller over gRPC that does not read its export makes the service hold little", async () => {
  const before = await held();
  const session = http2.connect(`http://127.0.0.1:${service.grpcPort}`);
  const headers = {
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    authorization,
  };
  const stream = session.request(headers);
  stream.end(envelope(new Uint8Array()));
  const body = await expectLittleHeldFor(stream, before);
  session.close();
  const last = unwrap(body).at(-1)?.message ?? Buffer.alloc(0);
  expect(fromBinary(ExportUserActionsResponseSchema, last).trailer?.count).toBe(BigInt(actions));
});

test("a caller over HTTP that does not read its export makes the service hold little", async () => {
  const before = await held();
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const headers = { "content-type": "application/connect+json", authorization };
    const request = http.request({ port: service.httpPort, path, method: "POST", headers }, resolve);
    request.on("error", reject);
    request.end(envelope("{}"));
  });
  const body = await expectLittleHeldFor(response, before);
  const last = unwrap(body).at(-2)?.message.toString() ?? "";
  expect(fromJsonString(ExportUserActionsResponseSchema, last).trailer?.count).toBe(BigInt(actions));
});
