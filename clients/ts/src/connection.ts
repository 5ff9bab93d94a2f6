import type { SecureClientSessionOptions } from "node:http2";
import { isIP } from "node:net";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** A token, or a function that is asked for one before each call and stream. */
export type Token = string | (() => string | Promise<string>);

export type ConnectionOptions = {
  readonly token: Token;
  /** Certificates and the like, as for node:tls; `{}` trusts the system's. Absent: no TLS, to this machine alone. */
  readonly tls?: SecureClientSessionOptions;
  readonly interceptors?: readonly Interceptor[];
};

/** A transport for the gate, the recorder, exports and generated clients alike. */
export type Connection = Transport & {
  /** Ends the connection and its calls. */
  close(): void;
};

/** A half-open connection is noticed so long after its last byte, and given up as long later. */
const pingIntervalMs = 10_000;

/**
 * A connection to the service's gRPC listener at "host:port"; it is made with the first call, and again when it
 * breaks. Throws where a token would go to another machine without TLS.
 */
export function connectTo(address: string, options: ConnectionOptions): Connection {
  const baseUrl = `${options.tls === undefined ? "http" : "https"}://${address}`;
  const { hostname } = new URL(baseUrl);
  if (options.tls === undefined && !isLoopback(hostname)) {
    throw new Error(
      `the token is not sent to ${address} without TLS; give tls, or an address of this machine`,
    );
  }
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs, pingTimeoutMs: pingIntervalMs },
    options.tls,
  );
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    acceptCompression: [],
    interceptors: [...(options.interceptors ?? []), bearer(options.token)],
  });
  return { unary: transport.unary, stream: transport.stream, close: () => sessionManager.abort() };
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === "localhost" || hostname === "[::1]" || (isIP(hostname) === 4 && hostname.startsWith("127."))
  );
}

function bearer(token: Token): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${await tokenOf(token)}`);
    return next(request);
  };
}

async function tokenOf(token: Token): Promise<string> {
  if (typeof token === "string") return token;
  try {
    return await token();
  } catch (cause) {
    // Any other error would count as UNKNOWN, and open the gate.
    throw new ConnectError("there is no token", Code.Unauthenticated, undefined, undefined, cause);
  }
}
