import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import { StartupError } from "../startupError.ts";
import type { ListenAddress } from "./address.ts";
import type { Rpc } from "./call.ts";
import { details, Failure } from "./failure.ts";
import type { TlsFiles } from "./grpcListener.ts";
import type { Incoming, Pipeline } from "./pipeline.ts";

export type HttpLimits = {
  readonly messageMaxBytes: number;
  readonly httpHeaderMaxBytes: number;
  /** A request has to arrive whole within this. */
  readonly httpRequestTimeoutMs: number;
};

export type HttpListener = {
  readonly port: number;
  /** Takes no new calls, lets the ones under way end for at most graceMs, then cuts them. */
  close(graceMs: number): Promise<void>;
};

/** Serves the same RPCs as Connect, gRPC-Web and plain JSON, and what operators ask for over HTTP. */
export async function listenHttp(options: {
  readonly address: ListenAddress;
  readonly rpcs: readonly Rpc[];
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly limits: HttpLimits;
  readonly tls: TlsFiles | undefined;
  readonly registry: Registry;
}): Promise<HttpListener> {
  const rpc = connectNodeAdapter({
    routes: (router) => mount(router, options.rpcs, options.pipeline, options.clock),
    grpc: false,
    readMaxBytes: options.limits.messageMaxBytes,
    jsonOptions: { useProtoFieldName: true },
  });
  const handler: http.RequestListener = (request, response) => {
    switch (request.url?.split("?")[0]) {
      case "/healthz":
        return plain(response, 200, "text/plain; charset=utf-8", "ok\n");
      case "/metrics":
        return void options.registry.metrics().then(
          (text) => plain(response, 200, options.registry.contentType, text),
          () => plain(response, 500, "text/plain; charset=utf-8", "the metrics cannot be read\n"),
        );
      default:
        return void rpc(request, response);
    }
  };
  const serverOptions = {
    maxHeaderSize: options.limits.httpHeaderMaxBytes,
    requestTimeout: options.limits.httpRequestTimeoutMs,
    headersTimeout: options.limits.httpRequestTimeoutMs,
  };
  const server =
    options.tls === undefined
      ? http.createServer(serverOptions, handler)
      : https.createServer(
          {
            ...serverOptions,
            cert: options.tls.cert,
            key: options.tls.key,
            ...(options.tls.clientCa === undefined ? {} : { ca: options.tls.clientCa, requestCert: true }),
          },
          handler,
        );
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", () => {
      const text = `cannot listen on ${options.address.text}: the address is in use or not this machine's`;
      reject(new StartupError(`GOVERNANCE_HTTP_ADDR: ${text}`));
    });
    server.listen(options.address.port, options.address.host.replace(/^\[|\]$/g, ""), () => {
      resolve(portOf(server.address()));
    });
  });

  return {
    port,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function plain(response: http.ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}

function mount(router: ConnectRouter, rpcs: readonly Rpc[], pipeline: Pipeline, clock: Clock): void {
  for (const rpc of rpcs) {
    switch (rpc.kind) {
      case "unary":
        router.rpc(rpc.method, (request, context) =>
          pipeline.unary(rpc, request, incomingOf(context, clock)).catch(rethrow),
        );
        break;
      case "server_stream":
        router.rpc(rpc.method, async function* (request, context) {
          try {
            yield* pipeline.stream(rpc, request, incomingOf(context, clock));
          } catch (cause) {
            rethrow(cause);
          }
        });
        break;
      case "bidi_stream": {
        const text = `${rpc.method.name} is a stream in both directions: call it on the gRPC listener`;
        // biome-ignore lint/correctness/useYield: it fails before its first message
        router.rpc(rpc.method, async function* () {
          rethrow(new Failure("GRPC_ONLY", text));
        });
        break;
      }
    }
  }
}

function incomingOf(context: HandlerContext, clock: Clock): Incoming {
  const timeoutMs = context.timeoutMs();
  return {
    authorization: context.requestHeader.get("authorization") ?? undefined,
    deadlineMs: timeoutMs === undefined ? Infinity : clock.monotonicMs() + timeoutMs,
    onGone: (notify) => {
      if (context.signal.aborted) notify();
      else context.signal.addEventListener("abort", notify, { once: true });
    },
  };
}

function rethrow(cause: unknown): never {
  if (!(cause instanceof Failure)) throw new ConnectError("INTERNAL: an error of the service", Code.Internal);
  const error = new ConnectError(cause.message, cause.code);
  error.details = details(cause).map(({ typeUrl, value }) => ({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value }));
  throw error;
}
