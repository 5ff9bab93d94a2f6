import http from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import type { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import { StartupError } from "../startupError.ts";
import type { ListenAddress } from "./address.ts";
import { type ArrivingLimits, createArriving } from "./arriving.ts";
import type { Rpc } from "./call.ts";
import { type Connection, type ConnectionLimits, createConnections } from "./connections.ts";
import { Failure } from "./failure.ts";
import type { HealthReport } from "./healthReport.ts";
import type { Pipeline } from "./pipeline.ts";
import { inRounds } from "./rounds.ts";
import { connectError, rpcOverHttp } from "./rpcOverHttp.ts";
import { secureOptions, type TlsFiles } from "./tls.ts";
import { showBadUtf8 } from "./utf8.ts";

export type HttpLimits = ArrivingLimits &
  ConnectionLimits & {
    readonly messageMaxBytes: number;
    readonly connectionsWaitingMax: number;
    readonly headersMaxBytes: number;
    /** A request's headers have to arrive whole within this. */
    readonly headersWithinMs: number;
    readonly handshakeWithinMs: number;
    /** Requests sent on a connection before the first is answered. No client does, so it may be cut off. */
    readonly requestsPerConnection: number;
    /** How long a connection without a request is kept. */
    readonly httpKeepAliveMs: number;
  };

export type HttpListener = {
  readonly port: number;
  /** New connections get this certificate. */
  renew(files: TlsFiles): void;
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
  /** What the page of metrics is made of. */
  readonly registry: Pick<Registry, "metrics" | "contentType">;
  /** Of each bot, under its path. */
  readonly health: ReadonlyMap<string, () => HealthReport>;
}): Promise<HttpListener> {
  showBadUtf8();
  const stopping = new AbortController();
  const arriving = createArriving(options.limits);
  const call = rpcOverHttp({
    rpcs: options.rpcs,
    pipeline: options.pipeline,
    clock: options.clock,
    messageMaxBytes: options.limits.messageMaxBytes,
    arriving,
    stopping: stopping.signal,
  });

  const metrics = inRounds(metricsEveryMs, () => options.registry.metrics());
  const pages = new Map<string, (response: http.ServerResponse) => Promise<void>>([
    // Liveness: the process answers. A restart mends no database.
    ["/healthz", async (response) => plain(response, 200, "ok\n")],
    // Readiness: so it does until it stops. Without Postgres it is needed most (R13).
    [
      "/readyz",
      async (response) => {
        const ready = !stopping.signal.aborted;
        plain(response, ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
      },
    ],
    ["/metrics", async (response) => plain(response, 200, await metrics(), options.registry.contentType)],
  ]);
  for (const [path, health] of options.health) {
    pages.set(path, async (response) => {
      const report = health();
      const status = report.status === "red" ? 503 : 200;
      plain(response, status, `${JSON.stringify(report)}\n`, "application/json");
    });
  }

  const { limits } = options;
  const connections = createConnections(limits);
  const connectionOf = new WeakMap<Duplex, Connection>();
  const handler: http.RequestListener = (request, response) => {
    const connection = connectionOf.get(request.socket);
    if (connection !== undefined) {
      response.once("close", connection.ended);
      if (connection.called() > limits.requestsPerConnection) request.socket.destroy();
    }
    if (request.socket.destroyed) return;
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
    maxHeaderSize: limits.headersMaxBytes,
    requestTimeout: limits.requestWithinMs,
    headersTimeout: limits.headersWithinMs,
    // Node looks after both only this often, every 30 s if not told otherwise.
    connectionsCheckingInterval: Math.ceil(limits.headersWithinMs / 4),
    keepAliveTimeout: limits.httpKeepAliveMs,
    // A peer that is gone without a word is noticed.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
  const server =
    options.tls === undefined
      ? http.createServer(serverOptions, handler)
      : https.createServer(
          {
            ...serverOptions,
            ...secureOptions(options.tls),
            handshakeTimeout: limits.handshakeWithinMs,
          },
          handler,
        );
  connections.guard(server);
  server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    const connection = connections.below(socket);
    if (connection !== undefined) connectionOf.set(socket, connection);
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", () => {
      const text = `cannot listen on ${options.address.text}: the address is in use or not this machine's`;
      reject(new StartupError(`GOVERNANCE_HTTP_ADDR: ${text}`));
    });
    const { port, host } = options.address;
    const address = { port, host: host.replace(/^\[|\]$/g, ""), backlog: limits.connectionsWaitingMax };
    server.listen(address, () => {
      resolve(portOf(server.address()));
    });
  });

  return {
    port,
    renew(files) {
      if (server instanceof https.Server) server.setSecureContext(secureOptions(files));
    },
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
      arriving[Symbol.dispose]();
    },
  };
}

/** Making the page of metrics takes milliseconds, and anybody may ask for it. */
const metricsEveryMs = 100;

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
