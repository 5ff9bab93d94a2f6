import { Command } from "commander";
import type { Config } from "../config.ts";
import type { Service } from "../main.ts";
import { setBrokenPipe } from "./output/stdout.ts";
import { onStopSignal } from "./signals.ts";

export function serveCommand(): Command {
  return new Command("serve")
    .description("Run the service; with no settings, on a Postgres of its own in the data folder.")
    .addHelpText(
      "after",
      `
Settings come from the environment (docs/running.md tells all):
  DATABASE_URL            the service's own role (default: the embedded Postgres)
  DATABASE_ADMIN_URL      migrates when the service starts (see governance migrate)
  GOVERNANCE_DATA_DIR     the embedded Postgres and development keys (default: .governance)
  GOVERNANCE_PROCESSES    how many processes serve, each a replica, so that more cores are used (default: 1)
  GOVERNANCE_GRPC_ADDR    the gRPC listener (default: 127.0.0.1:50051); port 0 takes a free one
  GOVERNANCE_HTTP_ADDR    Connect, gRPC-Web, JSON, health, metrics (default: 127.0.0.1:8080)
  GOVERNANCE_JWKS, GOVERNANCE_JWT_ISSUER, GOVERNANCE_JWT_AUDIENCE
                          whose tokens are trusted (default: a development key in the data folder)
  GOVERNANCE_TLS_CERT, GOVERNANCE_TLS_KEY, GOVERNANCE_TLS_CLIENT_CA
  GOVERNANCE_CONFIG_FILE  modes, retention and tiers, YAML or JSON
  GOVERNANCE_SCRUB_KEY_FILE, GOVERNANCE_LOG_LEVEL

The config file is read again when it changes, and on SIGHUP (unless started from a terminal).

Ctrl-C or SIGTERM stops it: calls under way are answered, Postgres stops with it. A second one stops it at once.`,
    )
    .action(serve);
}

/** Runs until a signal, then stops cleanly; exit code 0. When it cannot go on: one line, exit code 1. */
async function serve(): Promise<void> {
  setBrokenPipe({ kind: "ignore" }); // Who read the greeting may go away; the service stays.
  const stop = Promise.withResolvers<undefined>();
  // Where it was started from a terminal, SIGHUP says that the terminal has gone.
  const isReloaded = Boolean(process.env.GOVERNANCE_CONFIG_FILE) && !process.stdin.isTTY;
  let reload: (() => Promise<void>) | undefined;
  if (isReloaded) process.on("SIGHUP", () => void reload?.());
  onStopSignal(() => stop.resolve(undefined), isReloaded ? ["SIGINT", "SIGTERM"] : undefined);
  // The other commands start faster without the whole service.
  const { loadConfig } = await import("../config.ts");
  const config = loadConfig(process.env);
  const service =
    config.processes === 1
      ? await (await import("../main.ts")).startService(config)
      : await (await import("../processes/supervisor.ts")).startProcesses(config);
  reload = service.reloadConfigFile;
  process.stdout.write(greeting(config, service));
  const problem = await Promise.race([stop.promise, service.failed]);
  await service[Symbol.asyncDispose]();
  if (problem !== undefined) process.stderr.write(`governance: ${problem}\n`);
  process.exit(problem === undefined ? 0 : 1);
}

function greeting(config: Config, { grpcPort, httpPort, isDatabaseReady }: Service): string {
  const grpc = `${config.grpcAddress.host}:${grpcPort}`;
  const url = `${config.tls ? "https" : "http"}://${config.httpAddress.host}:${httpPort}`;
  const api = `${url}/polytraders.governance.v1`;
  const database =
    config.database.kind === "embedded"
      ? `embedded Postgres in ${config.dataDir}`
      : `Postgres at DATABASE_URL${isDatabaseReady() ? "" : ", which cannot be used yet; it is tried until it can"}`;
  const lines = [
    "",
    "Polytraders Governance is ready.",
    `  gRPC        ${grpc}   (health checking and reflection on)`,
    `  HTTP        ${url}   (Connect, gRPC-Web, JSON; /healthz, /readyz, /metrics)`,
    `  records     ${database}`,
    ...(config.processes === 1 ? [] : [`  processes   ${config.processes}`]),
    "",
  ];
  if (config.auth.kind === "development") {
    const address = grpc === "127.0.0.1:50051" ? "" : ` --address ${grpc}`;
    lines.push(
      "Tokens are checked with the development key of the data folder. Mint one:",
      "  BOT=$(npx governance token --role bot)",
      "",
      "Three calls to try:",
      `  curl -s ${api}.UserActivityLedgerService/RecordUserAction -H "authorization: Bearer $BOT" -H "content-type: application/json" \\`,
      `    -d '{"event_id":"evt_1","wallet":"0xdeadbeef00000000000000000000000000000001","session_id":"sess_1","action_type":"STRATEGY_START","params":{"strategy":"sports-model"}}'`,
      `  curl -s ${api}.ParameterChangeAuditorService/CheckWrite -H "authorization: Bearer $BOT" -H "content-type: application/json" \\`,
      `    -d '{"bot_slug":"risk.liquidityguard","param_name":"max_position_pusd","old_value":5000,"new_value":7500,"editor_id":"alice@polytraders"}'`,
      `  npx governance export${address}${config.tls ? " --tls" : ""}`,
      "",
    );
  }
  return `${lines.join("\n")}\n`;
}
