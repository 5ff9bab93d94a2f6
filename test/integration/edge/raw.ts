import http from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.ts";

/** Calls made byte by byte, without the generated clients: what a stock tool or a stranger would send. */

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** How a call ended, and every message that came before. */
export type RawAnswer = {
  /** google.rpc code. */
  readonly code: number;
  readonly message: string;
  /** The reason of each ErrorInfo, and the field of each violation. */
  readonly reasons: readonly string[];
  readonly fields: readonly string[];
  readonly messages: readonly Buffer[];
};

/** A connection of its own; it compresses what it sends as told. */
export function grpcClient(port: number, encoding: "identity" | "gzip" = "identity"): Client & Disposable {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.default_compression_algorithm": encoding === "gzip" ? 2 : 0,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

/** One call over gRPC. On the wire all kinds of methods look the same. */
export function callGrpc(
  client: Client,
  path: string,
  options: {
    token?: string;
    requests?: readonly Uint8Array[];
    metadata?: Metadata;
    deadlineMs?: number;
  } = {},
): Promise<RawAnswer> {
  const metadata = options.metadata ?? new Metadata();
  if (options.token !== undefined) metadata.set("authorization", `Bearer ${options.token}`);
  const deadline =
    options.deadlineMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.deadlineMs;
  const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes);
  const call = client.makeBidiStreamRequest(path, asBuffer, asBuffer, metadata, { deadline });
  const messages: Buffer[] = [];
  return new Promise((resolve) => {
    call.on("data", (message: Buffer) => messages.push(message));
    call.on("error", () => undefined); // The status says it all.
    call.on("status", (status: StatusObject) => resolve({ ...readStatus(status), messages }));
    for (const request of options.requests ?? [new Uint8Array()]) call.write(request);
    call.end();
  });
}

function readStatus(status: StatusObject): Omit<RawAnswer, "messages"> {
  const [bytes] = status.metadata.get("grpc-status-details-bin");
  const packed = Buffer.isBuffer(bytes) ? fromBinary(StatusSchema, bytes).details : [];
  return {
    code: status.code,
    message: status.details,
    reasons: packed.flatMap((any) => anyUnpack(any, ErrorInfoSchema)?.reason ?? []),
    fields: packed.flatMap(
      (any) => anyUnpack(any, BadRequestSchema)?.fieldViolations.map((one) => one.field) ?? [],
    ),
  };
}

export type HttpAnswer = {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
};

/** One request over HTTP/1.1, on a connection of its own. */
export function callHttp(
  port: number,
  path: string,
  options: {
    method?: string;
    token?: string | undefined;
    headers?: http.OutgoingHttpHeaders;
    body?: string | Uint8Array;
  } = {},
): Promise<HttpAnswer> {
  const { method = "POST", token, headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const request = http.request({
      host: "127.0.0.1",
      port,
      path,
      method,
      agent: false,
      headers: { ...authorization, ...headers },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.end(body);
  });
}

/** A message in the envelope of gRPC-Web and of Connect's streams. */
export function envelope(message: string | Uint8Array, flags = 0): Buffer {
  const bytes = Buffer.from(message);
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** The messages of a body in envelopes, each with its flags. */
export function unwrap(body: Buffer): { flags: number; message: Buffer }[] {
  const all: { flags: number; message: Buffer }[] = [];
  for (let at = 0; at < body.length; ) {
    const size = body.readUInt32BE(at + 1);
    all.push({ flags: body.readUInt8(at), message: body.subarray(at + 5, at + 5 + size) });
    at += 5 + size;
  }
  return all;
}

export type JsonError = {
  readonly code: string;
  readonly message: string;
  readonly reasons: readonly string[];
  readonly fields: readonly string[];
};

/** A refusal as Connect writes it in JSON, alone or at the end of a stream. */
export function readJsonError(text: string): JsonError {
  const parsed: unknown = JSON.parse(text);
  const error = isObject(parsed) && isObject(parsed.error) ? parsed.error : parsed;
  if (!isObject(error)) throw new Error(`no error of Connect: ${text}`);
  const details: unknown[] = Array.isArray(error.details) ? error.details : [];
  const bytesOf = (type: string) =>
    details.flatMap((one) =>
      isObject(one) && one.type === type ? [Buffer.from(String(one.value), "base64")] : [],
    );
  return {
    code: String(error.code),
    message: String(error.message),
    reasons: bytesOf("google.rpc.ErrorInfo").map((bytes) => fromBinary(ErrorInfoSchema, bytes).reason),
    fields: bytesOf("google.rpc.BadRequest").flatMap((bytes) =>
      fromBinary(BadRequestSchema, bytes).fieldViolations.map((one) => one.field),
    ),
  };
}

/** A refusal in gRPC-Web's trailers, which stand at the end of the body. */
export function readGrpcWebError(body: Buffer): RawAnswer {
  const trailer =
    unwrap(body)
      .find(({ flags }) => flags === 0x80)
      ?.message.toString() ?? "";
  const value = (name: string) => new RegExp(`^${name}: (.*)$`, "mi").exec(trailer)?.[1]?.trim() ?? "";
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(value("grpc-status-details-bin"), "base64"));
  const status = {
    code: Number(value("grpc-status")),
    details: decodeURIComponent(value("grpc-message")),
    metadata,
  };
  return { ...readStatus(status), messages: [] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
