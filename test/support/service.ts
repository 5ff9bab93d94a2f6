import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { type Logger, pino } from "pino";
import type { Clock } from "../../src/clock.ts";
import { type Limits, loadConfig } from "../../src/config.ts";
import { developmentToken, loadDevelopmentKey } from "../../src/keys/developmentKey.ts";
import { startService } from "../../src/main.ts";
import type { Role } from "../../src/server/access.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

export const protocols = ["grpc", "connect", "grpc-web", "json"] as const;
export type Protocol = (typeof protocols)[number];

/** The whole service in this process, on a database of its own, with both listeners on free ports. */
export type TestService = AsyncDisposable & {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly database: TestDatabase;
  readonly dataDir: string;
  /** Where `config` was written, or would be. */
  readonly configFile: string;
  token(claims: {
    roles: readonly Role[];
    subject?: string;
    wallet?: string;
    ttlSeconds?: number;
  }): Promise<string>;
  /** A client over the given protocol (gRPC when absent) that sends the token. */
  client<S extends DescService>(service: S, token?: string, protocol?: Protocol): Client<S>;
};

export async function startTestService(
  options: {
    config?: string;
    clock?: Clock;
    database?: TestDatabase;
    env?: NodeJS.ProcessEnv;
    limits?: Partial<Limits>;
    /** Where it logs to; nowhere when absent. */
    log?: Logger;
  } = {},
): Promise<TestService> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "governance-service-")));
  const database = options.database ?? starting.use(await createTestDatabase());
  const configFile = join(folder.path, "config.yaml");
  if (options.config !== undefined) await writeFile(configFile, options.config);
  const loaded = loadConfig({
    DATABASE_URL: database.url("service"),
    GOVERNANCE_DATA_DIR: join(folder.path, "data"),
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
    ...(options.config === undefined ? {} : { GOVERNANCE_CONFIG_FILE: configFile }),
    ...options.env,
  });
  const config = { ...loaded, limits: { ...loaded.limits, ...options.limits } };
  const log = options.log ?? pino({ level: "silent" });
  const service = starting.use(
    await startService(config, { log, ...(options.clock ? { clock: options.clock } : {}) }),
  );
  const { signing } = loadDevelopmentKey(config.dataDir);
  const running = starting.move();

  return {
    grpcPort: service.grpcPort,
    httpPort: service.httpPort,
    database,
    dataDir: config.dataDir,
    configFile,
    token: ({ roles, subject = "tester", wallet, ttlSeconds = 3600 }) =>
      developmentToken(signing, { subject, roles, wallet, ttlSeconds }),
    client: (definition, token, protocol = "grpc") =>
      createClient(definition, transportOf(protocol, token, service)),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function transportOf(
  protocol: Protocol,
  token: string | undefined,
  ports: { grpcPort: number; httpPort: number },
): Transport {
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const interceptors = [authorize];
  const http = { baseUrl: `http://127.0.0.1:${ports.httpPort}`, httpVersion: "1.1", interceptors } as const;
  switch (protocol) {
    case "grpc":
      return createGrpcTransport({ baseUrl: `http://127.0.0.1:${ports.grpcPort}`, interceptors });
    case "connect":
      return createConnectTransport({ ...http, useBinaryFormat: true });
    case "grpc-web":
      return createGrpcWebTransport(http);
    case "json":
      return createConnectTransport({
        ...http,
        useBinaryFormat: false,
        jsonOptions: { useProtoFieldName: true },
      });
  }
}
