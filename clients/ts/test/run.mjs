// Starts the checkout's service on a data folder and ports of its own, runs a command with its address and tokens in the
// environment, and stops it: node run.mjs <command> …
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const checkout = process.env.GOVERNANCE;
const folder = mkdtempSync(join(tmpdir(), "governance-ts-"));
// The gate enforces, so that rejections are seen.
const config = "gov.parameterchangeauditor: { mode: enforce }\ntiers:\n  risk.*.max_position_pusd: P1\n";
writeFileSync(join(folder, "config.yaml"), config);
const node = join(checkout, "node_modules/.bin/node");
const governance = join(checkout, "src/cli/governance.ts");
const env = { ...process.env, GOVERNANCE_DATA_DIR: join(folder, "data") };

const service = spawn(node, [governance, "serve"], {
  env: {
    ...env,
    GOVERNANCE_CONFIG_FILE: join(folder, "config.yaml"),
    GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
    GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
    GOVERNANCE_LOG_LEVEL: "error",
  },
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = once(service, "exit");

function token(...roles) {
  const asked = [
    "--subject",
    `ts-${roles.join("-")}`,
    "--ttl",
    "1h",
    ...roles.flatMap((role) => ["--role", role]),
  ];
  const minted = spawnSync(node, [governance, "token", ...asked], { env });
  if (minted.status !== 0) throw new Error(`no token for ${roles}: ${minted.stderr}`);
  return minted.stdout.toString().trim();
}

async function addresses() {
  const found = {};
  for await (const line of createInterface({ input: service.stdout })) {
    const [listener, address] = line.trim().split(/\s+/);
    if (listener === "gRPC" || listener === "HTTP") found[listener] = address.replace("http://", "");
    if (found.gRPC && found.HTTP) return found;
  }
  throw new Error("the service did not start");
}

try {
  const found = await addresses();
  service.stdout.resume();
  const [command, ...rest] = process.argv.slice(2);
  const run = spawn(command, rest, {
    stdio: "inherit",
    env: {
      ...process.env,
      GOVERNANCE_GRPC_ADDR: found.gRPC,
      GOVERNANCE_HTTP_ADDR: found.HTTP,
      GOVERNANCE_TOKEN: token("bot"),
      GOVERNANCE_COMPLIANCE_TOKEN: token("compliance"),
      GOVERNANCE_USER_TOKEN: token("user"),
      GOVERNANCE_GUIDE_TOKEN: token("bot", "compliance"),
    },
  });
  const [code] = await once(run, "exit");
  process.exitCode = code ?? 1;
} finally {
  service.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
