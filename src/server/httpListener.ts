import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import type { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import { StartupError } from "../startupError.ts";
import type { ListenAddress } from "./address.ts";
import type { Rpc } from "./call.ts";
import { Failure } from "./failure.ts";
import type { Pipeline } from "./pipeline.ts";
import { connectError, rpcOverHttp } from "./rpcOverHttp.ts";
import type { TlsFiles } from "./tls.ts";
import { showBadUtf8 } from "./utf8.ts";

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
  /** Whether calls can be answered now; never rejects. */
  readonly ready: () => Promise<boolean>;
}): Promise<HttpListener> {
  showBadUtf8();
  const stopping = new AbortController();
  const call = rpcOverHttp({
    rpcs: options.rpcs,
    pipeline: options.pipeline,
    clock: options.clock,
    messageMaxBytes: options.limits.messageMaxBytes,
    stopping: stopping.signal,
  });

  const pages = new Map<string, (response: http.ServerResponse) => Promise<void>>([
    // Liveness: the process answers. Whether it can do its work is readiness: a restart mends no database.
    ["/healthz", async (response) => plain(response, 200, "ok\n")],
    [
      "/readyz",
      async (response) => {
        const ready = !stopping.signal.aborted && (await options.ready());
        plain(response, ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
      },
    ],
    [
      "/metrics",
      async (response) =>
        plain(response, 200, await options.registry.metrics(), options.registry.contentType),
    ],
  ]);

  const handler: http.RequestListener = (request, response) => {
    if (stopping.signal.aborted) response.shouldKeepAlive = false;
    const page = pages.get(request.url?.split("?")[0] ?? "");
    if (page === undefined) {
      const none = call(request, response);
      if (none !== undefined) refuse(response, none.status, none.failure, "POST");
    } else if (request.method === "GET" || request.method === "HEAD") {
      page(response).catch(() =>
        refuse(response, 500, new Failure("INTERNAL", "this page cannot be made now")),
      );
    } else {
      refuse(response, 405, new Failure("NOT_SERVED", "this page is read with GET"), "GET, HEAD");
    }
  };
  const serverOptions = {
    maxHeaderSize: options.limits.httpHeaderMaxBytes,
    requestTimeout: options.limits.httpRequestTimeoutMs,
    headersTimeout: options.limits.httpRequestTimeoutMs,
    // Node looks after both only this often, every 30 s if not told otherwise.
    connectionsCheckingInterval: Math.ceil(options.limits.httpRequestTimeoutMs / 4),
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
      stopping.abort(
        new Failure("SHUTTING_DOWN", "the service is stopping; call another replica, or again later"),
      );
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A connection that is kept alive becomes idle only with its last answer.
      const tidying = setInterval(() => server.closeIdleConnections(), 50);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(tidying);
      clearTimeout(timer);
    },
  };
}

function plain(
  response: http.ServerResponse,
  status: number,
  body: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** Refuses what is no call, in the words of Connect: its clients understand it, and so do people. */
function refuse(response: http.ServerResponse, status: number, failure: Failure, allowed = ""): void {
  if (status === 405) response.setHeader("allow", allowed);
  plain(response, status, JSON.stringify(errorToJson(connectError(failure), undefined)), "application/json");
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
