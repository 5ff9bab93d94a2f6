// npm run docs:reason-codes: docs/reason-codes.md, from src/reasonCodes.ts and the contract.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ToolError } from "./generate/command.ts";
import { root } from "./generate/paths.ts";
import { documentedErrors } from "./reasonCodes/errors.ts";
import { reasonCodesPage } from "./reasonCodes/page.ts";

const file = "docs/reason-codes.md";

function main(): number {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  const path = join(root, file);
  const page = reasonCodesPage(documentedErrors());
  const isRight = existsSync(path) && readFileSync(path, "utf8") === page;
  if (values.check && !isRight) {
    console.error(`${file} is not what the sources say: run npm run docs:reason-codes`);
    return 1;
  }
  if (!isRight) writeFileSync(path, page);
  console.log(`${file}: ${values.check || isRight ? "up to date" : "written"}`);
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof ToolError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
