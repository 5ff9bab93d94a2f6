import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ServerReflection,
  type ServerReflectionResponse,
} from "../../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionResponse as ServerReflectionResponseAlpha,
} from "../../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { contract } from "../../../src/server/contract.ts";
import { startTestService, type TestService } from "../../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

/** Both versions ask and answer in the same words. */
type Question =
  | { readonly case: "listServices" | "fileByFilename" | "fileContainingSymbol"; readonly value: string }
  | {
      readonly case: "fileContainingExtension";
      readonly value: { readonly containingType: string; readonly extensionNumber: number };
    }
  | { readonly case: undefined };
type Answer = (ServerReflectionResponse | ServerReflectionResponseAlpha)["messageResponse"];

async function* once(question: Question) {
  yield { host: "", messageRequest: question };
}

async function only(answers: AsyncIterable<{ messageResponse: Answer }>): Promise<Answer> {
  const all: Answer[] = [];
  for await (const { messageResponse } of answers) all.push(messageResponse);
  expect(all).toHaveLength(1);
  const [answer] = all;
  if (answer === undefined) throw new Error("no answer");
  return answer;
}

const transport = () => createGrpcTransport({ baseUrl: `http://127.0.0.1:${service.grpcPort}` });
const versions = {
  v1: (question: Question) =>
    only(createClient(ServerReflection, transport()).serverReflectionInfo(once(question))),
  v1alpha: (question: Question) =>
    only(createClient(ServerReflectionAlpha, transport()).serverReflectionInfo(once(question))),
};

function filesIn(answer: Answer): FileDescriptorProto[] {
  if (answer.case !== "fileDescriptorResponse") throw new Error(`no files but ${answer.case}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

const contractPackage = "polytraders.governance.v1";
const everything = [
  ...contract.map((one) => one.typeName),
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

describe.each(Object.entries(versions))("reflection %s, asked without a token,", (_, ask) => {
  test("lists every service", async () => {
    const answer = await ask({ case: "listServices", value: "" });
    if (answer.case !== "listServicesResponse") throw new Error(`no list but ${answer.case}`);
    expect(answer.value.service.map((one) => one.name).sort()).toEqual([...everything].sort());
  });

  test.each([
    ["a message", `${contractPackage}.UserAction`, "user_activity_ledger.proto"],
    ["a service", `${contractPackage}.ReportService`, "report_service.proto"],
    ["a method", `${contractPackage}.BotConfigService.GetBotConfig`, "bot_config_service.proto"],
    ["an enum", `${contractPackage}.ErrorReason`, "error_reason.proto"],
    [
      "an enum inside a message",
      "grpc.health.v1.HealthCheckResponse.ServingStatus",
      "grpc/health/v1/health.proto",
    ],
    ["a message of Google's", "google.protobuf.Struct", "google/protobuf/struct.proto"],
    ["a message inside a message", "google.protobuf.Struct.FieldsEntry", "google/protobuf/struct.proto"],
  ])("finds the file of %s", async (_kind, symbol, file) => {
    const [first] = filesIn(await ask({ case: "fileContainingSymbol", value: symbol }));
    expect(first?.name.endsWith(file)).toBe(true);
  });

  test("finds a file by its name", async () => {
    const name = "polytraders/governance/v1/report.proto";
    expect(filesIn(await ask({ case: "fileByFilename", value: name }))[0]?.name).toBe(name);
  });

  test.each([
    ["an unknown symbol", { case: "fileContainingSymbol", value: `${contractPackage}.Other` }],
    ["an unknown file", { case: "fileByFilename", value: "other.proto" }],
    [
      "an extension",
      { case: "fileContainingExtension", value: { containingType: "a.B", extensionNumber: 1 } },
    ],
    ["nothing", { case: undefined }],
  ] as const)("says that %s is not found", async (_kind, question) => {
    const answer = await ask(question);
    expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });

  test.each(everything)("gives all that %s needs, every import before it is used", async (name) => {
    const files = filesIn(await ask({ case: "fileContainingSymbol", value: name }));
    const names = files.map((file) => file.name);
    for (const file of files) expect(names).toEqual(expect.arrayContaining(file.dependency));
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files].reverse() }));
    const found = registry.getService(name);
    for (const method of found?.methods ?? []) {
      expect(registry.getMessage(method.input.typeName)).toBeDefined();
      expect(registry.getMessage(method.output.typeName)).toBeDefined();
    }
    expect(found?.methods.length).toBeGreaterThan(0);
  });
});

test("one stream answers many questions in their order", async () => {
  async function* questions() {
    yield { messageRequest: { case: "fileContainingSymbol" as const, value: "no.such.Symbol" } };
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  }
  const cases: (string | undefined)[] = [];
  for await (const answer of createClient(ServerReflection, transport()).serverReflectionInfo(questions())) {
    cases.push(answer.messageResponse.case);
  }
  expect(cases).toEqual(["errorResponse", "listServicesResponse"]);
});
