import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { GetBotConfigResponseSchema } from "../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { BotConfigService } from "../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { serveNodeOptions } from "./nodeOptions.ts";

/** The service under measurement, in a process of its own, with everything on that a user gets. */
export interface Service extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly httpPort: number;
  readonly pid: number;
  /** Its answer to GetBotConfig, encoded. */
  readonly botConfig: Uint8Array;
  /** Values of the authorization header, by role. */
  readonly authorization: { readonly bot: string; readonly configStore: string; readonly compliance: string };
}

const command = fileURLToPath(new URL("../bin/governance.js", import.meta.url));

/**
 * Starts the service as `npm start` does, on an embedded Postgres of its own in a temporary folder, or on the
 * database that `settings` name.
 */
export async function startService(settings: Readonly<Record<string, string>> = {}): Promise<Service> {
  await using started = new AsyncDisposableStack();
  const folder = started.use(await mkdtempDisposable(join(tmpdir(), "bench-")));
  const env = {
    ...process.env,
    ...settings,
    GOVERNANCE_DATA_DIR: folder.path,
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
  };
  const child = spawn(process.execPath, [...serveNodeOptions, command, "serve"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  started.defer(async () => {
    child.kill("SIGTERM");
    await closed;
  });
  const { port, httpPort } = await ports(createInterface({ input: child.stdout }));
  const token = (role: string) =>
    `Bearer ${execFileSync(process.execPath, [command, "token", "--role", role], { env }).toString().trim()}`;
  const authorization = {
    bot: token("bot"),
    configStore: token("config-store"),
    compliance: token("compliance"),
  };
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
  const headers = { authorization: authorization.bot };
  const config = await createClient(BotConfigService, transport).getBotConfig(
    { botId: "gov.useractivityledger" },
    { headers },
  );
  const running = started.move();
  return {
    botConfig: toBinary(GetBotConfigResponseSchema, config),
    host: "127.0.0.1",
    port,
    httpPort,
    pid: child.pid ?? 0,
    authorization,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The ports from the lines in which the service says where it listens. */
async function ports(lines: AsyncIterable<string>): Promise<{ port: number; httpPort: number }> {
  let port: number | undefined;
  for await (const line of lines) {
    const [, name, number] = /^ {2}(gRPC|HTTP) +\S+:(\d+)/.exec(line) ?? [];
    if (name === "gRPC") port = Number(number);
    if (name === "HTTP" && port !== undefined) return { port, httpPort: Number(number) };
  }
  throw new Error("the service ended before it listened");
}
