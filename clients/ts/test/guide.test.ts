import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { folderOf, guideToken } from "./support.js";

const guide = join(import.meta.dirname, "..", "guide");

test("the guide's snippets do what they say", async () => {
  const names = (await readdir(guide)).filter((name) => name.endsWith(".js"));
  assert.ok(names.length >= 3, `${names.length} snippets`);
  for (const name of names) {
    const cwd = await folderOf();
    await mkdir(cwd);
    const env = { ...process.env, GOVERNANCE_TOKEN: guideToken };
    const { stdout } = await promisify(execFile)(process.execPath, [join(guide, name)], {
      cwd,
      env,
      timeout: 60_000,
    });
    // What a snippet prints stands in comments at its end.
    const [said = ""] = /(?:^\/\/ .*\n)+$/m.exec(await readFile(join(guide, name), "utf8")) ?? [];
    assert.equal(stdout, said.replaceAll(/^\/\/ /gm, ""), name);
  }
});
