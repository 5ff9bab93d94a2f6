import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { decodeJwt } from "jose";
import { afterEach, expect, test, vi } from "vitest";
import { tokenSource } from "../../../src/cli/connection/token.ts";
import { loadDevelopmentKey } from "../../../src/keys/developmentKey.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

test("a token that was given is used as it is; one with characters no token has is refused", async () => {
  expect(await tokenSource("a.b-c_d.e", "bot").get()).toBe("a.b-c_d.e");
  await expect(tokenSource("a b\n", "bot").get()).rejects.toThrow("characters that no token has");
});

test("a long command gets a new development token before the last one expires, with its one role", async () => {
  await using folder = await mkdtempDisposable(`${tmpdir()}/governance-token-`);
  vi.stubEnv("GOVERNANCE_DATA_DIR", folder.path);
  loadDevelopmentKey(folder.path);
  vi.useFakeTimers({ toFake: ["performance", "Date"], now: new Date("2026-01-01T00:00:00Z") });
  const tokens = tokenSource("", "compliance");
  for (let minute = 0; minute < 60; minute++) {
    const { exp, roles } = decodeJwt(await tokens.get());
    expect(roles).toEqual(["compliance"]);
    expect((exp ?? 0) * 1000 - Date.now()).toBeGreaterThan(4 * 60_000);
    vi.advanceTimersByTime(60_000);
  }
});
