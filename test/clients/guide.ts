// The shell calls of docs/integrating.md, run in their order as they are printed, but for the addresses: against a running
// service, GOVERNANCE_GRPC_ADDR, GOVERNANCE_HTTP_ADDR and GOVERNANCE_TOKEN (role bot). An answer that the page shows has
// the members that it shows; their values are of another day. grpcurl is on the PATH.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/integrating.md"), "utf8");
const { GOVERNANCE_GRPC_ADDR: grpc = "", GOVERNANCE_HTTP_ADDR: http = "" } = process.env;

/** Blocks in their order: language and text. */
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
  language,
  text,
}));
const isCall = ({ language, text }: { language: string; text: string }) =>
  language === "sh" && /^(curl|grpcurl) /.test(text);

/** The names of members, as deep as they go. What is in lists depends on what else is on record. */
function names(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  if (typeof value !== "object" || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, names(member)]));
}

let calls = 0;
for (const [at, block] of blocks.entries()) {
  if (!isCall(block)) continue;
  const command = block.text.replaceAll("127.0.0.1:8080", http).replaceAll("127.0.0.1:50051", grpc);
  const ran = spawnSync("bash", ["-euo", "pipefail", "-c", command], { cwd: root, encoding: "utf8" });
  const said = `${command}${ran.stdout}${ran.stderr}`;
  assert.equal(ran.status, 0, said);
  assert.doesNotMatch(ran.stdout, /^\{"code":/, said);
  const shown = blocks[at + 1];
  if (shown?.language === "json" && command.startsWith("curl ")) {
    assert.deepEqual(names(JSON.parse(ran.stdout)), names(JSON.parse(shown.text)), said);
  }
  calls++;
}
assert(calls > 3, "docs/integrating.md has no calls");
console.log(`docs/integrating.md: ${calls} shell calls do what the page says`);
