import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordUserActionRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { callGrpc, callHttp, envelope, grpcClient, readGrpcWebError, readJsonError } from "./raw.ts";

const record = "/polytraders.governance.v1.UserActivityLedgerService/RecordUserAction";
const maxBytes = 4 * 1024 * 1024;
const megabyte = 1024 * 1024;

let service: TestService;
let bot: string;
beforeAll(async () => {
  service = await startTestService();
  bot = await service.token({ roles: ["bot"] });
});
afterAll(() => service[Symbol.asyncDispose]());

function asJson(paramsJson: string): string {
  return JSON.stringify({ params_json: paramsJson });
}

function asBytes(paramsJson: string): Uint8Array {
  return toBinary(RecordUserActionRequestSchema, create(RecordUserActionRequestSchema, { paramsJson }));
}

const tooLong = "x".repeat(maxBytes);
const zeros = Buffer.alloc(256 * megabyte);
const gzipped = gzipSync(zeros, { level: 1 });
const brotlied = brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

const json = { "content-type": "application/json" };
const proto = { "content-type": "application/proto" };

describe("more than 4 MiB are refused", () => {
  test.each([
    ["as JSON", asJson(tooLong), json],
    ["as JSON, by far", Buffer.alloc(64 * megabyte, "x"), json],
    ["as JSON of unknown length", asJson(tooLong), { ...json, "transfer-encoding": "chunked" }],
    ["as bytes", asBytes(tooLong), proto],
    ["as a bomb of gzip in JSON", gzipped, { ...json, "content-encoding": "gzip" }],
    ["as a bomb of brotli in JSON", brotlied, { ...json, "content-encoding": "br" }],
    ["as a bomb of gzip in bytes", gzipped, { ...proto, "content-encoding": "gzip" }],
  ])("over Connect, %s", async (_, body, headers) => {
    const before = process.memoryUsage.rss();
    const answer = await callHttp(service.httpPort, record, { token: bot, headers, body });
    expect(answer.status).toBe(429);
    expect(readJsonError(answer.body.toString())).toMatchObject({
      code: "resource_exhausted",
      reasons: ["LIMIT_EXCEEDED"],
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * megabyte);
  });

  test.each([
    ["as they are", envelope(asBytes(tooLong))],
    ["as a bomb of gzip", envelope(gzipped, 1)],
  ])("over gRPC-Web, %s", async (_, body) => {
    const headers = { "content-type": "application/grpc-web+proto", "grpc-encoding": "gzip" };
    const answer = await callHttp(service.httpPort, record, { token: bot, headers, body });
    expect(readGrpcWebError(answer.body)).toMatchObject({ code: 8, reasons: ["LIMIT_EXCEEDED"] });
  });

  test.each([
    ["as they are", asBytes(tooLong), "identity"],
    ["as a bomb of gzip", zeros.subarray(0, 64 * megabyte), "gzip"],
  ] as const)("over gRPC, %s", async (_, request, encoding) => {
    using client = grpcClient(service.grpcPort, encoding);
    expect(await callGrpc(client, record, { token: bot, requests: [request] })).toMatchObject({ code: 8 });
  });
});

test("a request of exactly 4 MiB is read", async () => {
  const body = asJson("x".repeat(maxBytes - asJson("").length));
  expect(body.length).toBe(maxBytes);
  const answer = await callHttp(service.httpPort, record, { token: bot, headers: json, body });
  expect(readJsonError(answer.body.toString())).toMatchObject({
    reasons: ["INVALID_FIELD"],
    fields: ["event_id"],
  });
});

test("a compressed request is read", async () => {
  const answer = await callHttp(
    service.httpPort,
    "/polytraders.governance.v1.BotConfigService/GetBotConfig",
    {
      token: bot,
      headers: { ...json, "content-encoding": "gzip" },
      body: gzipSync(JSON.stringify({ bot_id: "gov.useractivityledger" })),
    },
  );
  expect(answer.status).toBe(200);
});
