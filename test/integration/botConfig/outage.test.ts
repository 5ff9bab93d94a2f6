import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import {
  auditor,
  type ConfigClient,
  change,
  configAs,
  decisionRows,
  ledger,
  parameterOf,
  storedRows,
} from "./config.ts";

const running = new AsyncDisposableStack();
let proxy: DatabaseProxy;
let service: TestService;
let elsewhere: ConfigClient;
let operator: ConfigClient;
beforeAll(async () => {
  const database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  service = running.use(
    await startTestService({ database, env: { DATABASE_URL: proxy.through(database.url("service")) } }),
  );
  operator = await configAs(service, "operator");
  const env = { GOVERNANCE_SCRUB_KEY_FILE: `${service.dataDir}/scrub.key` };
  elsewhere = await configAs(running.use(await startTestService({ database, env })), "operator");
});
afterAll(() => running.disposeAsync());
afterEach(() => {
  proxy.mend();
  proxy.thaw();
});

/** Waits until a parameter has this value on the replica behind the proxy. */
async function hasValue(paramName: string, value: number): Promise<void> {
  while ((await parameterOf(operator, ledger, paramName))[0] !== value) await sleep(20);
}

/** Waits until a change is taken again. */
async function takenAgain(days: number): Promise<void> {
  for (;;) {
    const taken = await operator.updateBotConfig(change(ledger, "retain_days", days)).then(
      () => true,
      () => false,
    );
    if (taken) return;
    await sleep(20);
  }
}

describe.each<[string, () => void, number]>([
  ["is cut off and refuses connections", () => proxy.cut(), 3000],
  ["is there and says nothing", () => proxy.freeze(), 3100],
])("while Postgres %s", (_, breakIt, days) => {
  test("changes are UNAVAILABLE, and what was in force stays", async () => {
    await takenAgain(days);
    const stored = await storedRows(service);
    breakIt();
    for (const [botId, paramName, value] of [
      [ledger, "retain_days", days + 1],
      [auditor, "mode", "enforce"],
    ] as const) {
      const inForce = await parameterOf(operator, botId, paramName);
      const refusal = await refusalOf(operator.updateBotConfig(change(botId, paramName, value)));
      expect(refusal).toMatchObject({ code: "Unavailable", reason: "STORE_UNAVAILABLE" });
      expect(refusal.message).not.toMatch(/postgres|sql|ECONN|timeout|terminated/i);
      expect(await parameterOf(operator, botId, paramName)).toEqual(inForce);
    }
    const tooLow = await refusalOf(operator.updateBotConfig(change(ledger, "retain_days", 30)));
    expect(tooLow.reason, "thresholds come first").toBe("RETENTION_BELOW_REGULATORY_MINIMUM");
    expect(await storedRows(service)).toEqual(stored);
  });

  test("another replica's change is followed when it is back, and changes are taken again", async () => {
    breakIt();
    await refusalOf(operator.updateBotConfig(change(ledger, "retain_days", days + 2)));
    await elsewhere.updateBotConfig(change(ledger, "retain_days", days + 3));
    expect(await parameterOf(operator, ledger, "retain_days")).not.toEqual([days + 3, "STORED"]);
    proxy.mend();
    proxy.thaw();
    await hasValue("retain_days", days + 3);
    await takenAgain(days + 4);
    expect(await parameterOf(operator, ledger, "retain_days")).toEqual([days + 4, "STORED"]);
  });
});

test("when the value cannot be stored after its decision, the decision is on record and nothing is changed", async () => {
  await takenAgain(3200);
  const decisions = await decisionRows(service);
  const locking = new pg.Client({ connectionString: service.database.url("superuser") });
  await locking.connect();
  try {
    await locking.query("begin");
    await locking.query("lock table maintenance.bot_config in share mode"); // Reads pass, inserts wait.
    const refusal = await refusalOf(operator.updateBotConfig(change(ledger, "retain_days", 3300)));
    expect(refusal).toMatchObject({ code: "Unavailable", reason: "STORE_UNAVAILABLE" });
  } finally {
    await locking.end();
  }
  expect((await decisionRows(service)).slice(decisions.length)).toMatchObject([
    { old_value_json: "3200", new_value_json: "3300" },
  ]);
  expect(await parameterOf(operator, ledger, "retain_days")).toEqual([3200, "STORED"]);
  await takenAgain(3400);
  expect((await storedRows(service)).map((row) => row.value_json)).not.toContain("3300");
});
