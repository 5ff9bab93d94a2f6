import { create, type DescFile, toBinary } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  ServerReflectionResponseSchema,
} from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
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
  collect(ErrorInfoSchema.file); // So that tools can print the details of errors.

  function collect(file: DescFile): void {
    const { proto } = file;
    if (files.has(proto.name)) return;
    files.set(proto.name, file);
    const add = (symbol: string) => fileOfSymbol.set(symbol, file);
    for (const message of proto.messageType) collectMessage(message, proto.package, add);
    for (const type of proto.enumType) add(`${proto.package}.${type.name}`);
    for (const service of proto.service) {
      add(`${proto.package}.${service.name}`);
      for (const method of service.method) add(`${proto.package}.${service.name}.${method.name}`);
    }
    for (const dependency of file.dependencies) collect(dependency);
  }

  function collectMessage(message: DescriptorProto, scope: string, add: (symbol: string) => void): void {
    const name = `${scope}.${message.name}`;
    add(name);
    for (const nested of message.nestedType) collectMessage(nested, name, add);
    for (const nested of message.enumType) add(`${name}.${nested.name}`);
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
