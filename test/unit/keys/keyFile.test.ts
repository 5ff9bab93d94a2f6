import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadDevelopmentKey } from "../../../src/keys/developmentKey.ts";
import { loadOrMakeKeyFile } from "../../../src/keys/keyFile.ts";
import { loadRecordKey } from "../../../src/keys/recordKey.ts";
import { StartupError } from "../../../src/startupError.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "governance-keys-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a key file is made once, for its owner alone, and then read", () => {
  const path = join(folder, "deep", "down", "key");
  expect(loadOrMakeKeyFile("SETTING", path, () => "made")).toBe("made");
  expect(loadOrMakeKeyFile("SETTING", path, () => "made again")).toBe("made");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, "deep", "down")).mode & 0o777).toBe(0o700);
  expect(readdirSync(join(folder, "deep", "down"))).toEqual(["key"]);
});

test("processes that make it at the same moment end up with the same one", async () => {
  const path = join(folder, "key");
  const module = new URL("../../../src/keys/keyFile.ts", import.meta.url).href;
  const script = `
    import { loadOrMakeKeyFile } from ${JSON.stringify(module)};
    const until = Number(process.argv[1]);
    while (Date.now() < until);
    process.stdout.write(loadOrMakeKeyFile("SETTING", ${JSON.stringify(path)}, () => String(process.pid)));`;
  const at = String(Date.now() + 700);
  const read = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script, at], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      child.stdout.on("data", (chunk) => {
        text += chunk;
      });
      await new Promise((resolve) => child.on("close", resolve));
      return text;
    }),
  );
  expect(new Set(read)).toEqual(new Set([readFileSync(path, "utf8")]));
  expect(readdirSync(folder)).toEqual(["key"]);
});

test("a file that cannot be read or made is told with its setting", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => loadOrMakeKeyFile("SETTING", folder, () => "")).toThrow(
    /^SETTING: .* cannot be read or made \(EISDIR\)$/,
  );
  expect(() => loadOrMakeKeyFile("SETTING", join(folder, "file", "key"), () => "")).toThrow(StartupError);
});

test("the record key is 32 bytes, made where there is none and the same from then on", () => {
  const made = loadRecordKey(undefined, folder);
  expect(made.symmetricKeySize).toBe(32);
  expect(loadRecordKey(undefined, folder).equals(made)).toBe(true);
  expect(loadRecordKey(join(folder, "scrub.key"), "elsewhere").equals(made)).toBe(true);
});

test("a record key may be in upper case and end with lines", () => {
  const path = join(folder, "mine");
  writeFileSync(path, `${"AB".repeat(32)}\r\n\n`);
  expect(loadRecordKey(path, folder).export().toString("hex")).toBe("ab".repeat(32));
});

test.each(["", "ab".repeat(31), "ab".repeat(33), "xy".repeat(32)])(
  "a record key that is %j is refused",
  (text) => {
    const path = join(folder, "mine");
    writeFileSync(path, text);
    expect(() => loadRecordKey(path, folder)).toThrow(
      /^GOVERNANCE_SCRUB_KEY_FILE: .* must hold 64 hexadecimal digits$/,
    );
  },
);

test("the development key is made once, and one that is none is refused", () => {
  const { checking } = loadDevelopmentKey(folder);
  expect(loadDevelopmentKey(folder).checking.equals(checking)).toBe(true);
  expect(checking.asymmetricKeyType).toBe("ed25519");

  const other = join(folder, "other");
  mkdirSync(other);
  writeFileSync(join(other, "development-token.key"), "not a key");
  expect(() => loadDevelopmentKey(other)).toThrow(StartupError);
});
