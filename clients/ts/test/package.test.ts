import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isAllowedAsABrowserAsks } from "./browser.js";
import { botToken, httpAddress } from "./support.js";

const dist = dirname(fileURLToPath(import.meta.resolve("polytraders-governance-client")));

test("the generated client and the mappers need nothing of Node", async () => {
  assert.equal(await isAllowedAsABrowserAsks(`http://${httpAddress}`, botToken), true);
  const seen = new Set<string>();
  async function visit(path: string): Promise<void> {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, name = ""] of (await readFile(path, "utf8")).matchAll(/from "([^"]+)"/g)) {
      assert.doesNotMatch(name, /^node:|connect-node/, path);
      if (name.startsWith(".")) await visit(join(dirname(path), name));
    }
  }
  await visit(join(dist, "v1.js"));
  await visit(join(dist, "venue", "venue.js"));
  const files = await readdir(join(dist, "gen"));
  for (const file of files.filter((name) => name.endsWith(".js")))
    assert.ok(seen.has(join(dist, "gen", file)), file);
});
