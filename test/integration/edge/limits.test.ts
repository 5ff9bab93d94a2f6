import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordUserActionRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { makeBusy } from "./busy.ts";
import { callHttp, envelope, pathOf, readJsonError, unwrap } from "./raw.ts";

const { recordUserAction, exportUserActions } = UserActivityLedgerService.method;
const json = { "content-type": "application/json" };
const begunRequest = `POST ${pathOf(recordUserAction)} HTTP/1.1\r\nhost: a\r\n`;

let service: TestService;
let bot: string;
let compliance: string;
beforeAll(async () => {
  service = await startTestService({
    limits: { headersWithinMs: 500, requestWithinMs: 500, streamsPerConnection: 7 },
  });
  bot = await service.token({ roles: ["bot"] });
  compliance = await service.token({ roles: ["compliance"] });
});
afterAll(() => service[Symbol.asyncDispose]());

type RawCall = { readonly session: http2.ClientHttp2Session; readonly stream: http2.ClientHttp2Stream };

/** A gRPC call with headers of our own. */
function rawGrpc(path: string, headers: http2.OutgoingHttpHeaders): RawCall & Disposable {
  const session = http2.connect(`http://127.0.0.1:${service.grpcPort}`);
  session.on("error", () => undefined); // What a call sees is asserted on its stream.
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => undefined);
  return { session, stream, [Symbol.dispose]: () => session.destroy() };
}

function headersOf(stream: http2.ClientHttp2Stream): Promise<http2.IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    stream.on("response", resolve);
    stream.on("close", () => reject(new Error(`the stream was closed with ${stream.rstCode}`)));
  });
}

/** Resolves once the service has read everything that was sent on the session. */
async function seen(session: http2.ClientHttp2Session): Promise<void> {
  if (session.connecting) await once(session, "connect"); // Until then a ping is cancelled.
  await new Promise<void>((resolve, reject) =>
    session.ping((cause: Error | null) => (cause === null ? resolve() : reject(cause))),
  );
}

/** Resolves once the service has noticed which of its connections were closed before the call. */
async function noticed(): Promise<void> {
  for (let round = 0; round < 2; round++) await callHttp(service.httpPort, "/healthz", { method: "GET" });
}

/** Resolves once the service has read the request's head and waits for its body. */
function continued(request: http.ClientRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    request.once("continue", resolve);
    request.once("error", reject);
  });
}

test("a stranger is refused before its body is read", async () => {
  const socket = net.connect(service.httpPort, "127.0.0.1");
  socket.write(`${begunRequest}content-type: application/json\r\ncontent-length: 100\r\n\r\n{`);
  const answer = await new Promise<string>((resolve) =>
    socket.once("data", (bytes) => resolve(bytes.toString())),
  );
  socket.destroy();
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
});

test("a connection is told how many streams it may have open", async () => {
  const session = http2.connect(`http://127.0.0.1:${service.grpcPort}`);
  const settings = await new Promise<http2.Settings>((resolve) => session.once("remoteSettings", resolve));
  session.destroy();
  expect(settings.maxConcurrentStreams).toBe(7);
});

describe("headers that are too long are refused", () => {
  test("over HTTP", async () => {
    const answer = await callHttp(service.httpPort, pathOf(recordUserAction), {
      headers: { ...json, x: "x".repeat(16_500) },
    });
    expect(answer.status).toBe(431);
  });

  test("over gRPC", async () => {
    using call = rawGrpc(pathOf(recordUserAction), {
      authorization: `Bearer ${bot}`,
      x: "x".repeat(100_000),
    });
    await expect(headersOf(call.stream)).rejects.toThrow("closed with");
  });
});

test.each([
  ["headers", begunRequest],
  [
    "body",
    `${begunRequest}authorization: Bearer TOKEN\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
  ],
])("a caller that never ends its %s is cut off", async (_, begun) => {
  const socket = net.connect(service.httpPort, "127.0.0.1");
  socket.write(begun.replace("TOKEN", bot));
  const started = performance.now();
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
    });
    socket.on("close", () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  expect(performance.now() - started).toBeLessThan(2000);
});

describe("while the database is busy", () => {
  const action = {
    eventId: "late",
    wallet: "0xdeadbeef00000000000000000000000000000001",
    sessionId: "session",
    actionType: "HALT",
  };
  const bytes = () => toBinary(RecordUserActionRequestSchema, create(RecordUserActionRequestSchema, action));
  const body = JSON.stringify({
    event_id: "late",
    wallet: action.wallet,
    session_id: "session",
    action_type: "HALT",
  });

  const counted = async (method: string, code: string) => {
    const { body: text } = await callHttp(service.httpPort, "/metrics", { method: "GET" });
    const line = `polytraders_gov_rpc_calls_total{method="UserActivityLedgerService/${method}",code="${code}"} `;
    const found = text
      .toString()
      .split("\n")
      .find((one) => one.startsWith(line));
    return Number(found?.slice(line.length) ?? 0);
  };

  test("a caller over gRPC that waits a millisecond is told that it is over", async () => {
    await using _busy = await makeBusy(service);
    const before = await counted("RecordUserAction", "DEADLINE_EXCEEDED");
    using call = rawGrpc(pathOf(recordUserAction), { authorization: `Bearer ${bot}`, "grpc-timeout": "1m" });
    call.stream.end(envelope(bytes()));
    expect(await headersOf(call.stream)).toMatchObject({ "grpc-status": "4" });
    await expect.poll(() => counted("RecordUserAction", "DEADLINE_EXCEEDED")).toBe(before + 1);
  });

  test("a caller over HTTP that waits 20 milliseconds is told so with its reason", async () => {
    await using _busy = await makeBusy(service);
    const started = performance.now();
    const headers = { ...json, "connect-timeout-ms": "20" };
    const answer = await callHttp(service.httpPort, pathOf(recordUserAction), { token: bot, headers, body });
    expect(performance.now() - started).toBeLessThan(900);
    expect([answer.status, readJsonError(answer.body.toString())]).toMatchObject([
      504,
      { code: "deadline_exceeded", reasons: ["BUDGET_EXCEEDED"] },
    ]);
  });

  test("a stream over HTTP that may take 20 milliseconds ends with its reason", async () => {
    await using _busy = await makeBusy(service);
    const before = await counted("ExportUserActions", "DEADLINE_EXCEEDED");
    const answer = await callHttp(service.httpPort, pathOf(exportUserActions), {
      token: compliance,
      headers: { "content-type": "application/connect+json", "connect-timeout-ms": "20" },
      body: envelope("{}"),
    });
    const error = readJsonError(String(unwrap(answer.body).at(-1)?.message));
    expect(error).toMatchObject({ code: "deadline_exceeded", reasons: ["BUDGET_EXCEEDED"] });
    expect(await counted("ExportUserActions", "DEADLINE_EXCEEDED")).toBe(before + 1);
  });

  test("calls whose callers go away are counted as cancelled, over gRPC and HTTP", async () => {
    await using _busy = await makeBusy(service);
    const before = await counted("RecordUserAction", "CANCELLED");
    const authorization = `Bearer ${bot}`;
    using call = rawGrpc(pathOf(recordUserAction), { authorization });
    call.stream.end(envelope(bytes()));
    const request = http.request({
      port: service.httpPort,
      path: pathOf(recordUserAction),
      method: "POST",
      headers: { ...json, authorization, expect: "100-continue" },
    });
    request.on("error", () => undefined); // It is cut below.
    request.flushHeaders();
    await Promise.all([seen(call.session), continued(request)]);
    request.end(body);
    await noticed();
    call.stream.close(http2.constants.NGHTTP2_CANCEL);
    request.destroy();
    await Promise.all([seen(call.session), noticed()]); // The service has to see it before it can answer.
    await _busy[Symbol.asyncDispose]();
    await expect.poll(() => counted("RecordUserAction", "CANCELLED"), { timeout: 5000 }).toBe(before + 2);
  });

  test("streams whose callers go away are cancelled at once, over gRPC and HTTP", async () => {
    await using _busy = await makeBusy(service);
    const before = await counted("ExportUserActions", "CANCELLED");
    const authorization = `Bearer ${compliance}`;
    using call = rawGrpc(pathOf(exportUserActions), { authorization });
    call.stream.end(envelope(new Uint8Array()));
    const request = http.request({
      port: service.httpPort,
      path: pathOf(exportUserActions),
      method: "POST",
      headers: { "content-type": "application/connect+json", authorization, expect: "100-continue" },
    });
    request.on("error", () => undefined); // It is cut below.
    request.flushHeaders();
    await Promise.all([seen(call.session), continued(request)]);
    request.end(envelope("{}"));
    await noticed();
    call.stream.close(http2.constants.NGHTTP2_CANCEL);
    request.destroy();
    await expect.poll(() => counted("ExportUserActions", "CANCELLED")).toBe(before + 2);
  });

  test("a caller that goes away in the midst of its request is counted as cancelled", async () => {
    const before = await counted("RecordUserAction", "CANCELLED");
    const failed = await counted("RecordUserAction", "INTERNAL");
    const socket = net.connect(service.httpPort, "127.0.0.1");
    socket.write(
      `${begunRequest}authorization: Bearer ${bot}\r\ncontent-type: application/json\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n{`,
    );
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1.1 100 /);
    socket.destroy();
    await expect.poll(() => counted("RecordUserAction", "CANCELLED")).toBe(before + 1);
    expect(await counted("RecordUserAction", "INTERNAL")).toBe(failed);
  });

  test("a producer that goes away is cancelled", async () => {
    using call = rawGrpc(pathOf(UserActivityLedgerService.method.streamUserActions), {
      authorization: `Bearer ${bot}`,
    });
    call.stream.write(envelope(Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x73])));
    await headersOf(call.stream);
    const before = await counted("StreamUserActions", "CANCELLED");
    call.stream.close(http2.constants.NGHTTP2_CANCEL);
    await expect.poll(() => counted("StreamUserActions", "CANCELLED")).toBe(before + 1);
  });
});
