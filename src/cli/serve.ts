import { Command } from "commander";
import { type Config, loadConfig } from "../config.ts";
import { startService } from "../main.ts";

export function serveCommand(): Command {
  return new Command("serve")
    .description("Run the service; settings come from the environment (docs/running.md).")
    .action(serve);
}

/** Runs until a signal, then stops cleanly; exit code 0. When it cannot go on: one line, exit code 1. */
async function serve(): Promise<void> {
  const config = loadConfig(process.env);
  const stop = Promise.withResolvers<string | undefined>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // A second one means now.
      if (stopping) process.exit(130);
      stopping = true;
      stop.resolve(undefined);
    });
  }
  let stopping = false;
  const service = await startService(config);
  process.stdout.write(greeting(config, service.grpcPort, service.httpPort));
  const problem = await Promise.race([stop.promise, service.failed]);
  await service[Symbol.asyncDispose]();
  if (problem !== undefined) process.stderr.write(`governance: ${problem}\n`);
  process.exit(problem === undefined ? 0 : 1);
}

function greeting(config: Config, grpcPort: number, httpPort: number): string {
  const grpc = `${config.grpcAddress.host}:${grpcPort}`;
  const url = `${config.tls ? "https" : "http"}://${config.httpAddress.host}:${httpPort}`;
  const api = `${url}/polytraders.governance.v1`;
  const database = config.database.kind === "embedded" ? `embedded Postgres in ${config.dataDir}` : "Postgres at DATABASE_URL";
  const lines = [
    "",
    "Polytraders Governance is ready.",
    `  gRPC        ${grpc}   (health checking and reflection on)`,
    `  HTTP        ${url}   (Connect, gRPC-Web, JSON; /healthz, /metrics)`,
    `  records     ${database}`,
    "",
  ];
  if (config.auth.kind === "development") {
    lines.push(
      "Tokens are checked with the development key of the data folder. Mint one:",
      "  BOT=$(npx governance token --role bot)",
      "",
      "Three calls to try:",
      `  curl -s ${api}.UserActivityLedgerService/RecordUserAction -H "authorization: Bearer $BOT" -H "content-type: application/json" \\`,
      `    -d '{"event_id":"evt_1","wallet":"0xdeadbeef00000000000000000000000000000001","session_id":"sess_1","action_type":"STRATEGY_START","params":{"strategy":"sports-model"}}'`,
      `  curl -s ${api}.ParameterChangeAuditorService/CheckWrite -H "authorization: Bearer $BOT" -H "content-type: application/json" \\`,
      `    -d '{"bot_slug":"risk.liquidityguard","param_name":"max_position_pusd","old_value":5000,"new_value":7500,"editor_id":"alice@polytraders"}'`,
      `  npx governance export`,
      "",
    );
  }
  return `${lines.join("\n")}\n`;
}
