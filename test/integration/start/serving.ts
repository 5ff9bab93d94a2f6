import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { developmentToken, loadDevelopmentKey } from "../../../src/keys/developmentKey.ts";
import type { Role } from "../../../src/server/access.ts";
import type { Command } from "./command.ts";

/** What a service of a test is started with: free ports, and a log of warnings. */
export function settingsFor(dataDir: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    GOVERNANCE_DATA_DIR: dataDir,
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
    GOVERNANCE_LOG_LEVEL: "warn",
    ...more,
  };
}

/** A client of the running command over gRPC, with a token of the development key in its data folder. */
export async function clientOf<S extends DescService>(
  service: Command,
  dataDir: string,
  definition: S,
  role: Role,
): Promise<Client<S>> {
  const { grpcPort } = await service.ready;
  const { signing } = loadDevelopmentKey(dataDir);
  const token = await developmentToken(signing, {
    subject: "tester",
    roles: [role],
    wallet: undefined,
    ttlSeconds: 3600,
  });
  const transport = createGrpcTransport({
    baseUrl: `http://127.0.0.1:${grpcPort}`,
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return createClient(definition, transport);
}
