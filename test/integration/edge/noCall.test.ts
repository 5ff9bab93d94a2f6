import net from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestService, type TestService } from "../../support/service.ts";
import { callGrpc, callHttp, grpcClient, readJsonError } from "./raw.ts";
import { expectReason } from "./refusals.ts";

const ledger = "/polytraders.governance.v1.UserActivityLedgerService";
const list = `${ledger}/ListUserActions`;
const exportActions = `${ledger}/ExportUserActions`;

let service: TestService;
let compliance: string;
beforeAll(async () => {
  service = await startTestService();
  compliance = await service.token({ roles: ["compliance"] });
});
afterAll(() => service[Symbol.asyncDispose]());

describe("what is no call is answered in words", () => {
  test.each([
    ["an unknown method", "POST", `${ledger}/Forget`, "application/json", 404, "NOT_SERVED"],
    ["an unknown service", "POST", "/other.v1.Service/Method", "application/json", 404, "NOT_SERVED"],
    ["the root", "GET", "/", undefined, 404, "NOT_SERVED"],
    ["a path that is no path", "POST", "//..%00", "application/json", 404, "NOT_SERVED"],
    ["a call with GET", "GET", `${list}?message={}&encoding=json`, undefined, 405, "NOT_SERVED"],
    ["a call with PUT", "PUT", list, "application/json", 405, "NOT_SERVED"],
    ["a page with POST", "POST", "/metrics", "application/json", 405, "NOT_SERVED"],
    ["a form", "POST", list, "application/x-www-form-urlencoded", 415, "INVALID_FIELD"],
    ["no content type", "POST", list, undefined, 415, "INVALID_FIELD"],
    ["JSON in another encoding", "POST", list, "application/json; charset=latin1", 415, "INVALID_FIELD"],
    [
      "a stream's content type for a single call",
      "POST",
      list,
      "application/connect+json",
      415,
      "INVALID_FIELD",
    ],
    [
      "a single call's content type for a stream",
      "POST",
      exportActions,
      "application/json",
      415,
      "INVALID_FIELD",
    ],
    ["gRPC", "POST", list, "application/grpc", 415, "INVALID_FIELD"],
  ])("%s", async (_, method, path, contentType, status, reason) => {
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    const answer = await callHttp(service.httpPort, path, { method, token: compliance, headers });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.headers.allow !== undefined).toBe(status === 405);
    const error = readJsonError(answer.body.toString());
    expectReason(error.reasons.join(), error.message);
    expect(error.reasons).toEqual([reason]);
  });

  test.each([
    ["HTTP/1.0 without a host", `GET / HTTP/1.0\r\n\r\n`, 404],
    [
      "a host that is none",
      `POST ${list} HTTP/1.1\r\nhost: [\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      401,
    ],
    [
      "HTTP/1.0 with a call",
      `POST ${list} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      401,
    ],
    ["no host", `GET /healthz HTTP/1.1\r\n\r\n`, 400],
    ["no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", 400],
  ])("%s", async (_, request, status) => {
    const socket = net.connect(service.httpPort, "127.0.0.1");
    socket.write(request);
    const [chunk] = await new Promise<Buffer[]>((resolve) => socket.once("data", (data) => resolve([data])));
    socket.destroy();
    expect(chunk?.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test("JSON in UTF-8 may say so", async () => {
    const headers = { "content-type": 'Application/JSON; charset="UTF-8"' };
    const answer = await callHttp(service.httpPort, list, { token: compliance, headers, body: "{}" });
    expect(answer.status).toBe(200);
  });

  test.each([
    ["an unknown method", `${ledger}/Forget`],
    ["an unknown service", "/other.v1.Service/Method"],
  ])("%s over gRPC", async (_, path) => {
    using client = grpcClient(service.grpcPort);
    expect(await callGrpc(client, path, { token: compliance })).toMatchObject({ code: 12, messages: [] });
  });
});
