import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StreamReportsRequestSchema } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { contract } from "../../../src/server/contract.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { callGrpc, callHttp, envelope, grpcClient, pathOf, readJsonError, unwrap } from "./raw.ts";

/** The contract's table, typed off it: nothing here comes from the code that decides. */
const roles = ["bot", "config-store", "account", "user", "compliance", "operator", "break-glass"] as const;
type Role = (typeof roles)[number];

const table: Record<string, readonly Role[]> = {
  RecordUserAction: ["bot", "account"],
  StreamUserActions: ["bot", "account"],
  RecordExecutionReport: ["bot", "account"],
  StreamExecutionReports: ["bot", "account"],
  CloseAccount: ["account"],
  CheckWrite: ["bot", "config-store", "operator", "break-glass"],
  ConfirmWrite: ["bot", "config-store", "operator", "break-glass"],
  RecordUngatedWrite: ["bot", "config-store", "operator", "break-glass"],
  ReconcileConfig: ["bot", "config-store", "operator", "break-glass"],
  ListUserActions: ["user", "compliance"],
  ExportUserActions: ["compliance"],
  ExportParameterChanges: ["compliance"],
  ListParameterChanges: ["config-store", "compliance", "operator"],
  GetConfigAsOf: ["config-store", "compliance", "operator"],
  ListBreakGlass: ["compliance", "operator"],
  ReviewBreakGlass: ["compliance", "operator"],
  StreamReports: ["compliance", "operator"],
  GetBotConfig: ["bot", "config-store", "account", "user", "compliance", "operator"],
  UpdateBotConfig: ["operator"],
  ListFills: ["compliance"],
  ExportFills: ["compliance"],
  ListSessionActivity: ["compliance"],
  ListSessionGaps: ["compliance", "operator"],
  ListEventConflicts: ["compliance"],
  ListAccessLog: ["compliance"],
  ExportAccessLog: ["compliance"],
  PlaceLegalHold: ["compliance"],
  ReleaseLegalHold: ["compliance"],
  ListLegalHolds: ["compliance", "operator"],
  RunPurge: ["operator"],
  ListPurgeRuns: ["compliance", "operator"],
};

const methods: readonly DescMethod[] = contract.flatMap((service): readonly DescMethod[] => service.methods);

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

test("the table has a row for every method of the contract, and no other", () => {
  expect(methods.map((method) => method.name).sort()).toEqual(Object.keys(table).sort());
});

const permissionDenied = 7;
const unauthenticated = 16;

/** A stream that goes on for ever if it may is asked for what it refuses: progress every -1 seconds. */
const badProgress = toBinary(
  StreamReportsRequestSchema,
  create(StreamReportsRequestSchema, { progressSeconds: -1 }),
);
const emptyJson = (method: DescMethod) =>
  method.name === "StreamReports" ? '{"progress_seconds":-1}' : "{}";

/** The code and the reason that an empty request ends with over gRPC. */
async function overGrpc(method: DescMethod, token: string | undefined) {
  using client = grpcClient(service.grpcPort);
  const requests = [method.name === "StreamReports" ? badProgress : new Uint8Array()];
  const call = token === undefined ? { requests } : { requests, token };
  const { code, reasons } = await callGrpc(client, pathOf(method), call);
  return { isRefused: code === permissionDenied || code === unauthenticated, code, reason: reasons.join() };
}

/** The same over HTTP, as JSON. */
async function overHttp(method: DescMethod, token: string | undefined) {
  const isUnary = method.methodKind === "unary";
  const answer = await callHttp(service.httpPort, pathOf(method), {
    token,
    headers: { "content-type": isUnary ? "application/json" : "application/connect+json" },
    body: isUnary ? "{}" : envelope(emptyJson(method)),
  });
  const last = isUnary ? answer.body : unwrap(answer.body).at(-1)?.message;
  if (isUnary && answer.status === 200) return { isRefused: false, code: 0, reason: "" };
  const { code, reasons } = readJsonError(String(last));
  return {
    isRefused: code === "permission_denied" || code === "unauthenticated",
    code,
    reason: reasons.join(),
  };
}

describe.each([
  { listener: "gRPC", call: overGrpc, denied: permissionDenied, anonymous: unauthenticated },
  { listener: "HTTP", call: overHttp, denied: "permission_denied", anonymous: "unauthenticated" },
])("on the $listener listener", ({ call, denied, anonymous }) => {
  describe.each(methods.map((method) => ({ name: method.name, method })))("$name", ({ name, method }) => {
    test.each(roles)("as the table has it for %s", async (role) => {
      const token = await service.token({
        roles: [role],
        wallet: "0xdeadbeef00000000000000000000000000000001",
      });
      const answer = await call(method, token);
      if (table[name]?.includes(role)) expect(answer).toMatchObject({ isRefused: false });
      else expect(answer).toEqual({ isRefused: true, code: denied, reason: "ROLE_NOT_ALLOWED" });
    });

    test("is refused to a caller without a role", async () => {
      const token = await service.token({ roles: [] });
      expect(await call(method, token)).toEqual({
        isRefused: true,
        code: denied,
        reason: "ROLE_NOT_ALLOWED",
      });
    });

    test("is refused to a stranger", async () => {
      expect(await call(method, undefined)).toEqual({
        isRefused: true,
        code: anonymous,
        reason: "TOKEN_INVALID",
      });
    });
  });
});

test("of several roles one is enough", async () => {
  const token = await service.token({ roles: ["user", "break-glass", "account"] });
  const method = methods.find(({ name }) => name === "CloseAccount");
  if (method === undefined) throw new Error("no such method");
  expect(await overGrpc(method, token)).toMatchObject({ isRefused: false });
});
