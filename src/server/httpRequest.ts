import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import type { Arriving } from "./arriving.ts";
import { CallerGone } from "./call.ts";
import { Failure } from "./failure.ts";

/** How a request on the HTTP listener is packed, by its content type. */
export type Format = {
  /** As Connect knows it. */
  readonly contentType: string;
  readonly binary: boolean;
  /** Whether the message stands in an envelope: a byte of flags and four of length. */
  readonly enveloped: boolean;
  readonly encodingHeader: string;
};

const connectUnary = { enveloped: false, encodingHeader: "content-encoding" };
const connectStream = { enveloped: true, encodingHeader: "connect-content-encoding" };
const grpcWeb = { enveloped: true, encodingHeader: "grpc-encoding" };

const unaryFormats: readonly Format[] = [
  { contentType: "application/json", binary: false, ...connectUnary },
  { contentType: "application/proto", binary: true, ...connectUnary },
];
const streamFormats: readonly Format[] = [
  { contentType: "application/connect+json", binary: false, ...connectStream },
  { contentType: "application/connect+proto", binary: true, ...connectStream },
];
const grpcWebFormats: readonly Format[] = [
  { contentType: "application/grpc-web+json", binary: false, ...grpcWeb },
  { contentType: "application/grpc-web+proto", binary: true, ...grpcWeb },
  { contentType: "application/grpc-web", binary: true, ...grpcWeb },
];

/** The content types that a method takes, Connect's and gRPC-Web's. */
export function formatsOf(isUnary: boolean): readonly Format[] {
  return [...(isUnary ? unaryFormats : streamFormats), ...grpcWebFormats];
}

/** The format that a content type names; undefined when it is none of these, or its text is not UTF-8. */
export function formatNamed(contentType: string | undefined, formats: readonly Format[]): Format | undefined {
  const name = /^\s*([^;\s]+)\s*(?:;\s*charset="?utf-8"?\s*)?$/i.exec(contentType ?? "")?.[1]?.toLowerCase();
  return formats.find((format) => format.contentType === name);
}

const envelopeBytes = 5;
const compressedFlag = 1;

/**
 * The bytes of a request's one message, decompressed, at most maxBytes. Throws LIMIT_EXCEEDED when there
 * are more, before they are in memory, and INVALID_FIELD when they are packed wrongly.
 */
export async function readMessage(
  request: IncomingMessage,
  format: Format,
  maxBytes: number,
  arriving: Arriving,
): Promise<Uint8Array> {
  const encoding = request.headers[format.encodingHeader];
  const maxPackedBytes = maxBytes + (format.enveloped ? envelopeBytes : 0);
  const packed = await readAll(request, maxPackedBytes, maxBytes, arriving);
  if (!format.enveloped) return decompress(packed, format, encoding, maxBytes);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (
    packed.length < envelopeBytes ||
    view.getUint32(1) !== packed.length - envelopeBytes ||
    view.getUint8(0) > compressedFlag
  ) {
    throw badRequest(`the body must be one message in an envelope, as ${format.contentType} has it`);
  }
  const message = packed.subarray(envelopeBytes);
  return view.getUint8(0) === compressedFlag ? decompress(message, format, encoding, maxBytes) : message;
}

/** A message without fields, packed as the format has it. */
export function emptyMessage(format: Format): Uint8Array {
  const message = format.binary ? [] : [0x7b, 0x7d];
  return new Uint8Array(format.enveloped ? [0, 0, 0, 0, message.length, ...message] : message);
}

async function readAll(
  body: IncomingMessage,
  maxPackedBytes: number,
  maxBytes: number,
  arriving: Arriving,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const refused = Promise.withResolvers<never>();
  const request = arriving.begun((why) => {
    if (why === "too much") refused.reject(tooMuch()); // Who is late is cut off by node:http.
  });
  // Leaving early must not destroy the connection: the refusal is still to be written.
  const coming = body.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const { value: chunk, done } = await Promise.race([coming.next(), refused.promise]);
      if (done === true) break;
      if (!Buffer.isBuffer(chunk)) throw new TypeError("a body is read as bytes");
      size += chunk.length;
      if (size > maxPackedBytes) throw tooLarge(maxBytes);
      request.came(chunk.length);
      chunks.push(chunk);
    }
  } catch (cause) {
    // A request ends early when its caller does.
    throw body.errored === null ? cause : new CallerGone(undefined, { cause });
  } finally {
    request.done();
  }
  return Buffer.concat(chunks, size);
}

const decompressors = new Map([
  ["gzip", promisify(gunzip)],
  ["br", promisify(brotliDecompress)],
]);

async function decompress(
  bytes: Uint8Array,
  format: Format,
  encoding: string | string[] | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  if (encoding === undefined || encoding === "" || encoding === "identity") return bytes;
  const inflate = decompressors.get(String(encoding));
  if (inflate === undefined) throw badRequest(`${format.encodingHeader} must be gzip, br or identity`);
  if (bytes.length === 0) return bytes;
  try {
    return await inflate(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(maxBytes);
    throw badRequest(`the body is not what ${format.encodingHeader}: ${encoding} says`);
  }
}

const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

/** Milliseconds that the caller waits for its answer: Infinity when it does not say, NaN when it says it wrongly. */
export function callerWaitMs(headers: IncomingHttpHeaders): number {
  const connect = headers["connect-timeout-ms"];
  if (connect !== undefined) return /^\d{1,10}$/.test(String(connect)) ? Number(connect) : Number.NaN;
  const grpc = headers["grpc-timeout"];
  if (grpc === undefined) return Number.POSITIVE_INFINITY;
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(String(grpc)) ?? [];
  return Number(amount) * (unitMs[unit] ?? Number.NaN);
}

function tooMuch(): Failure {
  const text = "too many large requests are on their way at once; send it again later";
  return new Failure("LIMIT_EXCEEDED", text, { retryAfterMs: 1000 });
}

function tooLarge(maxBytes: number): Failure {
  return new Failure("LIMIT_EXCEEDED", `the request is larger than ${maxBytes} bytes`);
}

/** Something is wrong with the request as a whole, hence no field's name. */
export function badRequest(text: string): Failure {
  return new Failure("INVALID_FIELD", text, { field: "" });
}
