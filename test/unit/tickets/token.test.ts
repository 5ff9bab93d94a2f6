import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { StartupError } from "../../../src/startupError.ts";
import { ticketSettings } from "../../../src/tickets/settings.ts";
import { loadToken } from "../../../src/tickets/token.ts";

const folder = mkdtempSync(join(tmpdir(), "governance-ticket-token-"));
afterAll(() => rmSync(folder, { recursive: true }));

function load(content: string | undefined, more: object = { system: "jira" }): string | undefined {
  const path = join(folder, "token");
  rmSync(path, { force: true });
  if (content !== undefined) writeFileSync(path, content);
  const settings = ticketSettings.parse({ url: "https://x", token_file: path, ...more });
  if (settings.system === undefined) throw new Error("no system");
  return loadToken(settings);
}

test("the token is the file's only line, without the newline", () => {
  expect(load("me@x:t0ken\n")).toBe("me@x:t0ken");
  expect(load("t0ken", { system: "jira", auth: "bearer" })).toBe("t0ken");
  expect(load("t0ken", { system: "webhook" })).toBe("t0ken");
});

test("without a file there is none", () => {
  const settings = ticketSettings.parse({ system: "webhook", url: "https://x" });
  if (settings.system === undefined) throw new Error("no system");
  expect(loadToken(settings)).toBeUndefined();
});

test.each<[string, string | undefined, RegExp]>([
  ["a missing file", undefined, /cannot be read \(ENOENT\)/],
  ["an empty file", "\n", /must hold one line/],
  ["two lines", "secret:one\nsecret:two", /must hold one line/],
  ["a header's end in it", "secret:\r\nx: y", /must hold one line/],
  ["a token alone for basic authentication", "secret", /must hold e-mail:token/],
])("%s stops the start, and nothing of its content is told", (_, content, problem) => {
  expect(() => load(content)).toThrow(StartupError);
  expect(() => load(content)).toThrow(/^GOVERNANCE_CONFIG_FILE: tickets\.token_file: \S+ /);
  expect(() => load(content)).toThrow(problem);
  expect(() => load(content)).not.toThrow(/secret/);
});
