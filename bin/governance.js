#!/usr/bin/env node
// Runs the command on the Node that this package brings along, when the machine's own is too old for it.
import { spawn } from "node:child_process";
import module from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 18)) {
  // Halves the time to start. In our own folder: a shared one would let others choose what we run.
  module.enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/governance", import.meta.url)));
  await import("../src/cli/governance.ts");
} else {
  runOn(bundledNode());
}

function bundledNode() {
  try {
    const manifest = module.createRequire(import.meta.url).resolve("node/package.json");
    return join(dirname(manifest), "bin", "node");
  } catch {
    fail("the npm package `node` is not installed");
  }
}

function runOn(node) {
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  // The channel ends with this process, however it ends; the command then stops too.
  const child = spawn(node, args, { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  child.on("error", (cause) => fail(`${node} cannot be started (${cause.code})`));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function fail(why) {
  const line = `needs Node 22.18 or newer, this is ${process.version}, and ${why}; run npm install`;
  process.stderr.write(`governance: ${line}\n`);
  process.exit(1);
}
