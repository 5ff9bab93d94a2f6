import { afterEach, beforeEach, expect, test } from "vitest";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { type StoppedClock, stoppedClock } from "../../support/clock.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { audience, issuer, type KeyServer, makeKey, type SigningKey, startKeyServer } from "./issuer.ts";
import { outcomeOf } from "./refusals.ts";

const first = makeKey("EdDSA");
const second = makeKey("EdDSA");

let clock: StoppedClock;
let keys: KeyServer;
let service: TestService;
let count = 0;
beforeEach(async () => {
  clock = stoppedClock("2026-05-09T12:00:00Z");
  keys = await startKeyServer();
  service = await startTestService({
    clock,
    env: { GOVERNANCE_JWKS: keys.url, GOVERNANCE_JWT_ISSUER: issuer, GOVERNANCE_JWT_AUDIENCE: audience },
  });
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await keys[Symbol.asyncDispose]();
});

/** "OK" or the reason of the refusal, for a token that nobody has seen before. */
async function answerTo(key: SigningKey): Promise<string | undefined> {
  const token = await key.token({ sub: `caller-${++count}` });
  const client = service.client(BotConfigService, token);
  const outcome = await outcomeOf(() => client.getBotConfig({ botId: "gov.useractivityledger" }));
  return "answer" in outcome ? "OK" : outcome.refusal.reason;
}

test("keys are fetched once for many tokens", async () => {
  keys.serve([first]);
  expect(await Promise.all([answerTo(first), answerTo(first), answerTo(first)])).toEqual(["OK", "OK", "OK"]);
  expect(keys.asked).toBe(1);
});

test("a key that was added is found when the first token names it", async () => {
  keys.serve([first]);
  expect(await answerTo(first)).toBe("OK");
  keys.serve([first, second]);
  clock.set("2026-05-09T12:00:11Z");
  expect(await answerTo(second)).toBe("OK");
  expect(await answerTo(first)).toBe("OK");
  expect(keys.asked).toBe(2);
});

test("made-up keys do not make the service ask again and again", async () => {
  keys.serve([first]);
  expect(await answerTo(first)).toBe("OK");
  clock.set("2026-05-09T12:00:11Z");
  for (let i = 0; i < 20; i++) expect(await answerTo(second)).toBe("TOKEN_INVALID");
  expect(keys.asked).toBe(2);
});

test("a key that was withdrawn stops working once the keys were read again", async () => {
  keys.serve([first, second]);
  expect(await answerTo(first)).toBe("OK");
  keys.serve([second]);
  clock.set("2026-05-09T12:10:01Z");
  await answerTo(second);
  await expect.poll(() => keys.asked).toBe(2);
  await expect.poll(() => answerTo(first)).toBe("TOKEN_INVALID");
  expect(await answerTo(second)).toBe("OK");
});

test.each(["status", "no json", "silence"] as const)(
  "while the keys cannot be read (%s), the last good ones serve at once",
  async (how) => {
    keys.serve([first]);
    expect(await answerTo(first)).toBe("OK");
    keys.fail(how);
    for (const time of ["2026-05-09T12:11:00Z", "2026-05-09T18:00:00Z", "2026-05-10T11:59:59Z"]) {
      clock.set(time);
      const started = performance.now();
      expect(await answerTo(first)).toBe("OK");
      expect(performance.now() - started).toBeLessThan(1000);
    }
  },
);

test("after 24 hours without an answer the last good keys serve no more, and again once there is one", async () => {
  keys.serve([first]);
  expect(await answerTo(first)).toBe("OK");
  keys.fail("status");
  clock.set("2026-05-10T12:10:00Z");
  expect(await answerTo(first)).toBe("STORE_UNAVAILABLE");
  keys.serve([first]);
  clock.set("2026-05-10T12:10:11Z");
  expect(await answerTo(first)).toBe("OK");
});

test("while the keys were never read, callers are told so", async () => {
  await keys[Symbol.asyncDispose]();
  expect(await answerTo(first)).toBe("STORE_UNAVAILABLE");
  expect(await answerTo(first)).toBe("STORE_UNAVAILABLE");
});

test("keys that come late are taken", async () => {
  keys.fail("status");
  expect(await answerTo(first)).toBe("STORE_UNAVAILABLE");
  keys.serve([first]);
  clock.set("2026-05-09T12:00:02Z");
  expect(await answerTo(first)).toBe("OK");
});
