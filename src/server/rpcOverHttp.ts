import type http from "node:http";
import type { Message } from "@bufbuild/protobuf";
import {
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Clock } from "../clock.ts";
import type { Arriving } from "./arriving.ts";
import type { Rpc } from "./call.ts";
import { decodeRequest } from "./decode.ts";
import { details, Failure } from "./failure.ts";
import {
  badRequest,
  callerWaitMs,
  emptyMessage,
  type Format,
  formatNamed,
  formatsOf,
  readMessage,
} from "./httpRequest.ts";
import { decodeJsonRequest } from "./jsonRequest.ts";
import type { Incoming, Pipeline, Request } from "./pipeline.ts";

/** One call as the listener hands it over, past Connect. */
type Call = { readonly request: Request; readonly incoming: Incoming };

const callKey = createContextKey<Call | undefined>(undefined);

/** What makes a request no call at all: an HTTP status, and the failure it is answered with. */
export type NoCall = { readonly status: 404 | 405 | 415; readonly failure: Failure };

type Route = { readonly rpc: Rpc; readonly formats: readonly Format[]; readonly handler: UniversalHandler };

/**
 * Answers calls as Connect, gRPC-Web and plain JSON. Requests are read and decoded here and not by
 * Connect, so that what cannot be decoded is refused like other bad input; Connect is given an empty
 * message in their place, and writes the answers. Gives back what is no call.
 */
export function rpcOverHttp(options: {
  readonly rpcs: readonly Rpc[];
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly messageMaxBytes: number;
  readonly arriving: Arriving;
  /** When aborted, calls are refused with its reason. */
  readonly stopping: AbortSignal;
}): (request: http.IncomingMessage, response: http.ServerResponse) => NoCall | undefined {
  const { clock, messageMaxBytes, arriving, stopping } = options;
  const routes = new Map<string, Route>();
  const router = createConnectRouter({
    grpc: false,
    acceptCompression: [compressionGzip, compressionBrotli],
    // An `allowed` that is false has to stand in the answer: a gate may not read its absence as anything.
    jsonOptions: { useProtoFieldName: true, alwaysEmitImplicit: true },
  });
  for (const rpc of options.rpcs) {
    mount(router, rpc, options.pipeline);
    const handler = router.handlers.at(-1);
    if (handler !== undefined)
      routes.set(handler.requestPath, { rpc, formats: formatsOf(rpc.kind === "unary"), handler });
  }

  async function answer(
    route: Route,
    format: Format,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ) {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const call: Call = {
      incoming: incomingOf(request.headers, gone.signal, clock),
      request: () => requestOf(route.rpc, format, request),
    };
    const answered = await route.handler({
      httpVersion: request.httpVersion,
      method: "POST",
      url: `http://localhost${route.handler.requestPath}`,
      header: headersForConnect(request.headers, format),
      body: oneChunk(emptyMessage(format)),
      signal: gone.signal,
      contextValues: createContextValues().set(callKey, call),
    });
    await write(answered, response);
  }

  async function requestOf(rpc: Rpc, format: Format, request: http.IncomingMessage): Promise<Message> {
    stopping.throwIfAborted();
    if (rpc.kind === "bidi_stream") {
      const text = `${rpc.method.name} is a stream in both directions: call it on the gRPC listener`;
      throw new Failure("GRPC_ONLY", text);
    }
    if (Number.isNaN(callerWaitMs(request.headers))) {
      throw badRequest(
        "connect-timeout-ms must be up to 10 digits, grpc-timeout up to 8 and one of H, M, S, m, u, n",
      );
    }
    const bytes = await readMessage(request, format, messageMaxBytes, arriving);
    const desc = rpc.method.input;
    return format.binary ? decodeRequest(desc, bytes) : decodeJsonRequest(desc, bytes);
  }

  return (request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    const route = routes.get(path);
    if (route === undefined) {
      return {
        status: 404,
        failure: new Failure("NOT_SERVED", `there is nothing at ${JSON.stringify(path.slice(0, 256))}`),
      };
    }
    if (request.method !== "POST") {
      return {
        status: 405,
        failure: new Failure("NOT_SERVED", `${route.rpc.method.name} is called with POST`),
      };
    }
    const format = formatNamed(request.headers["content-type"], route.formats);
    if (format === undefined) {
      const names = route.formats.map((one) => one.contentType).join(", ");
      return { status: 415, failure: badRequest(`content-type must be one of ${names}, in UTF-8`) };
    }
    // Connect has answered all failures of the call; what is left is that the caller went away.
    answer(route, format, request, response).catch(() => response.destroy());
    return undefined;
  };
}

/** Connect's error for a failure. */
export function connectError(failure: Failure): ConnectError {
  const error = new ConnectError(failure.message, failure.code);
  error.details = details(failure).map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return error;
}

function mount(router: ConnectRouter, rpc: Rpc, pipeline: Pipeline): void {
  switch (rpc.kind) {
    case "unary":
      router.rpc(rpc.method, (_, context) => {
        const { request, incoming } = callOf(context);
        return pipeline.unary(rpc, request, incoming).catch(rethrow);
      });
      return;
    case "server_stream":
      router.rpc(rpc.method, (_, context) => {
        const { request, incoming } = callOf(context);
        return translated(pipeline.stream(rpc, request, incoming));
      });
      return;
    case "bidi_stream":
      // HTTP/1.1 has no streams in both directions. Mounted as one in one direction, it can be refused in
      // the caller's own protocol.
      router.rpc({ ...rpc.method, methodKind: "server_streaming" }, (_, context) => {
        const { request, incoming } = callOf(context);
        return translated(pipeline.bidi(rpc, refusing(request), incoming));
      });
      return;
  }
}

function callOf(context: HandlerContext): Call {
  const call = context.values.get(callKey);
  if (call === undefined) throw new Error("a call that the listener did not hand over");
  return call;
}

/** The requests of a call that is refused before its first one. */
async function* refusing(request: Request): AsyncGenerator<Message> {
  yield await request();
}

async function* translated(answers: AsyncIterable<Message>): AsyncGenerator<Message> {
  try {
    yield* answers;
  } catch (cause) {
    rethrow(cause);
  }
}

function rethrow(cause: unknown): never {
  throw connectError(cause instanceof Failure ? cause : new Failure("INTERNAL", "an error of the service"));
}

/** What Connect still has to know: how to read the empty message, and how to pack the answers. */
function headersForConnect(headers: http.IncomingHttpHeaders, format: Format): Headers {
  const kept = new Headers({ "content-type": format.contentType });
  for (const name of ["accept-encoding", "connect-accept-encoding", "grpc-accept-encoding"]) {
    const value = headers[name];
    if (typeof value === "string") kept.set(name, value);
  }
  return kept;
}

function incomingOf(headers: http.IncomingHttpHeaders, gone: AbortSignal, clock: Clock): Incoming {
  const waitMs = callerWaitMs(headers);
  return {
    authorization: headers.authorization,
    headers,
    deadlineMs: Number.isNaN(waitMs) ? Number.POSITIVE_INFINITY : clock.monotonicMs() + waitMs,
    isGone: () => gone.aborted,
    onGone: (notify) => {
      if (gone.aborted) notify();
      else gone.addEventListener("abort", () => notify(), { once: true });
    },
  };
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Writes an answer as fast as the caller reads it, and stops its source when the caller goes away. */
async function write(answer: UniversalServerResponse, response: http.ServerResponse): Promise<void> {
  let wake: (() => void) | undefined;
  response.on("drain", () => wake?.());
  response.once("close", () => wake?.());
  response.writeHead(answer.status, Object.fromEntries(answer.header ?? []));
  for await (const chunk of answer.body ?? []) {
    if (response.closed) return;
    if (response.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (response.closed) resolve();
    });
  }
  response.end();
}
