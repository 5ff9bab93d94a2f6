import { readFileSync } from "node:fs";
import type { SecureClientSessionOptions } from "node:http2";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Role } from "../../server/access.ts";
import { errorCode } from "../errorCode.ts";
import { CliError, exitCodes } from "../exitCodes.ts";
import { callFailure } from "./failure.ts";
import type { ConnectionOptions } from "./options.ts";
import { type TokenSource, tokenSource } from "./token.ts";

/** One connection to the service; clients of all its services share it. */
export type Connection = {
  /** "host:port", for messages. */
  readonly address: string;
  client<S extends DescService>(service: S): Client<S>;
  /** The CliError of a failed call; any other error as it came. */
  explain(cause: unknown): unknown;
};

/** A half-open connection is noticed this many milliseconds after the last byte, and given up as many later. */
const pingIntervalMs = 15_000;

/** Runs with a connection and closes it. `role` is what a token made on the fly carries. Throws CliErrors. */
export async function connected<T>(
  options: ConnectionOptions,
  role: Role,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const tls = tlsOptions(options);
  const baseUrl = `${tls === undefined ? "http" : "https"}://${options.address}`;
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs, pingTimeoutMs: pingIntervalMs },
    tls,
  );
  const tokens = tokenSource(options.token, role);
  await tokens.get(); // Without one there is no need to call.
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors: [bearer(tokens)],
    acceptCompression: [],
  });
  const explain = (cause: unknown) => explained(cause, options.address, tokens);
  try {
    const result = await use({
      address: options.address,
      client: (service) => createClient(service, transport),
      explain,
    });
    sessionManager.abort();
    return result;
  } catch (cause) {
    // A connection that breaks may still have an error to tell, and abort() would leave nobody to hear it:
    // it ends with the process.
    throw explain(cause);
  }
}

function bearer(tokens: TokenSource): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${await tokens.get()}`);
    return next(request);
  };
}

function explained(cause: unknown, address: string, tokens: TokenSource): unknown {
  const failure = callFailure(cause);
  if (failure === undefined) return cause;
  if (failure.kind === "unreachable") {
    return new CliError(exitCodes.unreachable, `${address} cannot be reached: ${failure.message}`, { cause });
  }
  const hint =
    failure.reason === "TOKEN_INVALID" && tokens.kind === "development"
      ? " (the development key of the data folder is not the service's; give --token or GOVERNANCE_TOKEN)"
      : "";
  return new CliError(exitCodes.refused, `${failure.message}${hint}`, { cause });
}

function tlsOptions(options: ConnectionOptions): SecureClientSessionOptions | undefined {
  const { tls, tlsCa, tlsCert, tlsKey } = options;
  if (!tls && tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return undefined;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new CliError(exitCodes.usage, "--tls-cert and --tls-key go together");
  }
  return {
    ...(tlsCa === undefined ? {} : { ca: readPem("--tls-ca", tlsCa) }),
    ...(tlsCert === undefined ? {} : { cert: readPem("--tls-cert", tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: readPem("--tls-key", tlsKey) }),
  };
}

function readPem(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = errorCode(cause) ?? "no code";
    throw new CliError(exitCodes.cannotStart, `${option}: ${path} cannot be read (${code})`, { cause });
  }
}
