import http from "node:http";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A span as it arrived, ids in hexadecimal digits. */
export type ReceivedSpan = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has none. */
  readonly parentId: string;
  readonly traceState: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** The spans it names beside its parent. */
  readonly links: readonly string[];
  readonly isError: boolean;
};

/** A real HTTP server in the place of a collector, which takes traces as OTLP has them. */
export type Collector = AsyncDisposable & {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Everything that was sent, bytes as latin1 text. */
  sent(): string;
  /** Answers with this status from now on; with another than 200 nothing is kept. */
  answer(status: number): void;
  /** How many requests were answered with another status than 200. */
  refused(): number;
};

export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  let status = 200;
  let refused = 0;
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const isTaken = status === 200 && request.url === "/v1/traces";
      if (isTaken) {
        bodies.push(body);
        spans.push(...spansOf(body));
      } else {
        refused++;
      }
      response.writeHead(isTaken ? 200 : status, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    sent: () => Buffer.concat(bodies).toString("latin1"),
    answer(next) {
      status = next;
    },
    refused: () => refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The fields of a protobuf message by their numbers: bytes, or numbers. */
type Fields = { bytes(field: number): Uint8Array[]; number(field: number): number };

function fieldsOf(message: Uint8Array): Fields {
  const bytes = new Map<number, Uint8Array[]>();
  const numbers = new Map<number, number>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) bytes.set(field, [...(bytes.get(field) ?? []), reader.bytes()]);
    else if (type === WireType.Varint) numbers.set(field, Number(reader.int64()));
    else reader.skip(type);
  }
  return { bytes: (field) => bytes.get(field) ?? [], number: (field) => numbers.get(field) ?? 0 };
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");

/** ExportTraceServiceRequest, as opentelemetry-proto numbers its fields. */
function spansOf(request: Uint8Array): ReceivedSpan[] {
  return fieldsOf(request)
    .bytes(1)
    .flatMap((resourceSpans) => fieldsOf(resourceSpans).bytes(2))
    .flatMap((scopeSpans) => fieldsOf(scopeSpans).bytes(2))
    .map((bytes) => {
      const span = fieldsOf(bytes);
      return {
        traceId: hex(span.bytes(1)[0]),
        spanId: hex(span.bytes(2)[0]),
        traceState: text(span.bytes(3)[0]),
        parentId: hex(span.bytes(4)[0]),
        name: text(span.bytes(5)[0]),
        kind: span.number(6),
        attributes: Object.fromEntries(span.bytes(9).map(attributeOf)),
        links: span.bytes(13).map((link) => hex(fieldsOf(link).bytes(2)[0])),
        isError: span.bytes(15).some((state) => fieldsOf(state).number(3) === 2),
      };
    });
}

function attributeOf(keyValue: Uint8Array): [string, string | number] {
  const { bytes } = fieldsOf(keyValue);
  const value = fieldsOf(bytes(2)[0] ?? new Uint8Array());
  return [text(bytes(1)[0]), value.bytes(1).length > 0 ? text(value.bytes(1)[0]) : value.number(3)];
}
