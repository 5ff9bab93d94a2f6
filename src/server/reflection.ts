import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection, ServerReflectionResponseSchema } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionAlpha,
  ServerReflectionResponseSchema as ServerReflectionResponseAlphaSchema,
} from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { bidiStream, type Rpc } from "./call.ts";
import { contract } from "./contract.ts";

/** Lets grpcurl, ghz and their like ask for the services and descriptors, in both versions tools use. */
export function reflectionRpcs(): readonly Rpc[] {
  const services = [...contract, Health, ServerReflection, ServerReflectionAlpha];
  const files = new Map<string, DescFile>();
  const fileOfSymbol = new Map<string, DescFile>();
  for (const service of services) collect(service.file);

  function collect(file: DescFile): void {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    for (const message of file.messages) collectMessage(message, file);
    for (const type of file.enums) fileOfSymbol.set(type.typeName, file);
    for (const service of file.services) {
      fileOfSymbol.set(service.typeName, file);
      for (const method of service.methods) fileOfSymbol.set(`${service.typeName}.${method.name}`, file);
    }
    for (const dependency of file.dependencies) collect(dependency);
  }

  function collectMessage(message: DescFile["messages"][number], file: DescFile): void {
    fileOfSymbol.set(message.typeName, file);
    for (const nested of message.nestedMessages) collectMessage(nested, file);
    for (const nested of message.nestedEnums) fileOfSymbol.set(nested.typeName, file);
  }

  /** The file and everything it imports, dependencies first: some tools do not ask again. */
  function withDependencies(file: DescFile, seen = new Set<DescFile>()): Uint8Array[] {
    if (seen.has(file)) return [];
    seen.add(file);
    const bytes = file.dependencies.flatMap((dependency) => withDependencies(dependency, seen));
    bytes.push(toBinary(FileDescriptorProtoSchema, file.proto));
    return bytes;
  }

  type Question = { case: string | undefined; value?: unknown };
  function answer(question: Question) {
    const name = typeof question.value === "string" ? question.value : "";
    if (question.case === "listServices") {
      const service = services.map((one) => ({ name: one.typeName }));
      return { case: "listServicesResponse" as const, value: { service } };
    }
    const file =
      question.case === "fileByFilename"
        ? files.get(name)
        : question.case === "fileContainingSymbol"
          ? fileOfSymbol.get(name)
          : undefined;
    if (file !== undefined) {
      const value = { fileDescriptorProto: withDependencies(file).reverse() };
      return { case: "fileDescriptorResponse" as const, value };
    }
    const notFound = { errorCode: 5, errorMessage: `${name || "what was asked for"} is not known here` };
    return { case: "errorResponse" as const, value: notFound };
  }

  return [
    bidiStream(ServerReflection.method.serverReflectionInfo, async function* (requests) {
      for await (const request of requests) {
        yield create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request.messageRequest),
        });
      }
    }),
    bidiStream(ServerReflectionAlpha.method.serverReflectionInfo, async function* (requests) {
      for await (const request of requests) {
        yield create(ServerReflectionResponseAlphaSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request.messageRequest),
        });
      }
    }),
  ];
}
