import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { makeBusy } from "./busy.ts";
import { callHttp, pathOf, readJsonError } from "./raw.ts";

let service: TestService;
let token: string;
beforeEach(async () => {
  service = await startTestService();
  token = await service.token({ roles: ["bot"] });
});
afterEach(() => service[Symbol.asyncDispose]());

const path = pathOf(UserActivityLedgerService.method.recordUserAction);
const action = { wallet: "0xdeadbeef00000000000000000000000000000001", session_id: "s", action_type: "HALT" };

function request(eventId: string): string {
  const body = JSON.stringify({ ...action, event_id: eventId });
  return `POST ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

test("over HTTP, what was taken is answered, and what comes behind it on the same connection is refused", async () => {
  const socket = net.connect(service.httpPort, "127.0.0.1");
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes;
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const busy = await makeBusy(service);
  socket.write(request("taken"));
  await busy.waitedFor();
  const started = performance.now();
  const stopped = service[Symbol.asyncDispose]();
  await sleep(50);
  socket.write(request("behind"));
  await sleep(50);
  await busy[Symbol.asyncDispose]();
  await Promise.all([stopped, closed]);
  expect(performance.now() - started).toBeLessThan(1500);

  const [first = "", second = ""] = received.split(/(?=HTTP\/1\.1 \d)/);
  expect(first).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*RECORD_OUTCOME_RECORDED/);
  expect(second).toMatch(/^HTTP\/1\.1 503 [\s\S]*connection: close/i);
  const refusal = readJsonError(second.slice(second.indexOf("{")));
  expect(refusal).toMatchObject({ code: "unavailable", reasons: ["SHUTTING_DOWN"] });
});

test("over gRPC, what was taken is answered", async () => {
  const bot = service.client(UserActivityLedgerService, token);
  const busy = await makeBusy(service);
  const taken = bot.recordUserAction({
    eventId: "taken",
    wallet: action.wallet,
    sessionId: "s",
    actionType: "HALT",
  });
  await busy.waitedFor();
  const stopped = service[Symbol.asyncDispose]();
  await sleep(50);
  await busy[Symbol.asyncDispose]();
  expect((await taken).outcome).toBe(RecordOutcome.RECORDED);
  await stopped;
});

test("nobody is listening afterwards", async () => {
  await service[Symbol.asyncDispose]();
  await expect(callHttp(service.httpPort, "/healthz", { method: "GET" })).rejects.toThrow("ECONNREFUSED");
});
