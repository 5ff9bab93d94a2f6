// npm run release:contract: makes proto/, as it stands, the contract that later
// changes are held to (npm run buf:breaking).
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { buf } from "./generate/buf.ts";
import { ToolError } from "./generate/command.ts";
import { root } from "./generate/paths.ts";

const image = "contract/released.binpb";

function main(): void {
  const { values } = parseArgs({ options: { "allow-breaking": { type: "boolean" } } });
  // A release would otherwise be the way to get a breaking change past the check.
  if (!values["allow-breaking"] && existsSync(join(root, image))) {
    refuseBreaking();
  }
  mkdirSync(dirname(join(root, image)), { recursive: true });
  // Comments and line numbers are no promise; without them the image changes only
  // when the contract does.
  buf(["build", "proto", "--exclude-source-info", "--output", image]);
  console.log(`release:contract: ${image} is proto/ as it stands`);
}

function refuseBreaking(): void {
  try {
    buf(["breaking", "proto", "--against", image]);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError(`${error.message}; --allow-breaking releases proto/ all the same`);
  }
}

try {
  main();
} catch (error) {
  if (!(error instanceof ToolError)) throw error;
  console.error(`release:contract: ${error.message}`);
  process.exitCode = 1;
}
