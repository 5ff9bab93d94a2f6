import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { webhookKey } from "../../../src/alerts/secretFile.ts";

test.each([
  ["a key without its prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
  ["a key that is too short", "whsec_c2hvcnQ="],
  ["no base64", "whsec_this is no base64 at all, whatever it is"],
  ["nothing", ""],
])("%s is refused without a word of it", async (_, line) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-key-"));
  const path = join(folder.path, "key");
  await writeFile(path, line);
  const read = () => webhookKey("alerts.receivers.pager.key_file", path);
  expect(read).toThrow(`GOVERNANCE_CONFIG_FILE: alerts.receivers.pager.key_file: ${path} must hold`);
  if (line !== "") expect(read).not.toThrow(line);
});

test("a file that is not there is named", () => {
  expect(() => webhookKey("alerts.receivers.pager.key_file", "/nowhere")).toThrow(
    "/nowhere cannot be read (ENOENT)",
  );
});
