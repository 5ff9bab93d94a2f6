import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { RetryInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { Durability } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { asRefusal } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { start } from "./command.ts";
import { clientOf, settingsFor } from "./serving.ts";

// Processes start slowly on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

const running = new AsyncDisposableStack();
let proxy: DatabaseProxy;
let database: TestDatabase;
/** All services of a database need the same key. */
let key: { readonly GOVERNANCE_SCRUB_KEY_FILE: string };
beforeAll(async () => {
  proxy = running.use(await startDatabaseProxy());
  database = running.use(await createTestDatabase());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-key-")));
  key = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
});
afterAll(() => running.disposeAsync());
afterEach(() => {
  proxy.mend();
  proxy.thaw();
});

const ways: readonly [string, () => void][] = [
  ["cuts connections off", () => proxy.cut()],
  ["says nothing", () => proxy.freeze()],
  ["is starting up", () => proxy.startUp()],
];

function mendAll(): void {
  proxy.mend();
  proxy.thaw();
}

/** Resolves with how long it took until a decision is recorded again, ms. */
async function untilDurable(service: TestService): Promise<number> {
  const configStore = await auditorAs(service, "config-store");
  const startedMs = performance.now();
  for (;;) {
    const { durability } = await configStore.checkWrite(write("there?"));
    if (durability === Durability.DURABLE) return performance.now() - startedMs;
    await sleep(20);
  }
}

function healthOf(service: TestService): Promise<Response> {
  return fetch(`http://127.0.0.1:${service.httpPort}/internal/health/parameterchangeauditor`);
}

const env = () => ({ ...key, DATABASE_URL: proxy.through(database.url("service")) });

describe.each(ways)("a service whose Postgres %s when it starts", (_, breakIt) => {
  test("starts all the same, answers what can be answered, and goes on when Postgres comes", async () => {
    breakIt();
    const startedMs = performance.now();
    await using service = await startTestService({ database, env: env() });
    expect(performance.now() - startedMs).toBeLessThan(8_000);

    const verdictMs = performance.now();
    const answer = await (await auditorAs(service, "config-store")).checkWrite(write("without"));
    expect(performance.now() - verdictMs).toBeLessThan(500);
    expect(answer.allowed).toBe(true);
    expect(answer.durability).toBe(Durability.BUFFERED);
    const compliance = await ledgerAs(service, "compliance");
    const refusal = await compliance.listUserActions({}).catch((cause: unknown) => ConnectError.from(cause));
    expect(asRefusal(refusal)).toMatchObject({ code: "Unavailable", reason: "STORE_UNAVAILABLE" });
    expect(ConnectError.from(refusal).findDetails(RetryInfoSchema)).toHaveLength(1);
    const health = await healthOf(service);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({
      status: "red",
      checks: { postgres_reachable: { value: false } },
    });
    expect((await fetch(`http://127.0.0.1:${service.httpPort}/readyz`)).status).toBe(200);

    mendAll();
    expect(await untilDurable(service)).toBeLessThan(5_000);
    expect((await compliance.listUserActions({})).actions).toEqual([]);
    await expect.poll(async () => (await healthOf(service)).status).toBe(200);
  });
});

test("where nothing listens, the greeting and the log say so, without the password", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "governance-away-"));
  const url = "postgresql://me:secret@127.0.0.1:1/db";
  await using service = start(settingsFor(folder.path, { DATABASE_URL: url }));
  await service.ready;
  expect(service.stdout()).toContain(
    "Postgres at DATABASE_URL, which cannot be used yet; it is tried until it can",
  );
  expect(service.stdout()).toContain('"code":"ECONNREFUSED","msg":"Postgres cannot be used yet;');
  service.signal("SIGTERM");
  const { code, stdout, stderr } = await service.ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).not.toContain("secret");
});

test("what was stored is in force once Postgres comes; until then it is the config file", async () => {
  await using stored = await createTestDatabase();
  const operator = async (service: TestService) =>
    service.client(BotConfigService, await service.token({ roles: ["operator"] }));
  const ledgerBot = "gov.useractivityledger";
  {
    await using before = await startTestService({ database: stored, env: key });
    const value = { kind: { case: "numberValue" as const, value: 3000 } };
    const changed = { botId: ledgerBot, paramName: "retain_days", value, editorId: "alice@polytraders" };
    await (await operator(before)).updateBotConfig(changed);
  }
  proxy.cut();
  await using service = await startTestService({
    database: stored,
    env: { ...key, DATABASE_URL: proxy.through(stored.url("service")) },
    config: "gov.useractivityledger: { retain_days: 2600 }",
  });
  const config = await operator(service);
  const retainDays = async () => {
    const { parameters } = await config.getBotConfig({ botId: ledgerBot });
    return parameters.find(({ paramName }) => paramName === "retain_days")?.value?.kind.value;
  };
  expect(await retainDays()).toBe(2600);
  mendAll();
  await expect.poll(retainDays, { timeout: 5_000 }).toBe(3000);
});

test("a database that was never migrated is migrated when it comes", async () => {
  const name = `${database.name}_empty`;
  await database.query("superuser", `create database ${name} owner governance_admin`);
  await using dropping = new AsyncDisposableStack();
  dropping.defer(async () => {
    await database.query("superuser", `drop database ${name} with (force)`);
  });
  const url = (role: "admin" | "service") => proxy.through(database.url(role).replace(/[^/]+$/, name));
  proxy.cut();
  await using service = await startTestService({
    database,
    env: { DATABASE_URL: url("service"), DATABASE_ADMIN_URL: url("admin") },
  });
  mendAll();
  expect(await untilDurable(service)).toBeLessThan(10_000);
});

describe("what is wrong for good and shows only when Postgres comes ends the service with that reason", () => {
  test.each<[string, () => Promise<Record<string, string>>, RegExp]>([
    [
      "a role that could rewrite records",
      async () => ({ ...key, DATABASE_URL: proxy.through(database.url("admin")) }),
      /^governance: DATABASE_URL: its role governance_admin could rewrite [^\n]+\n$/,
    ],
    [
      "another key",
      async () => ({ DATABASE_URL: env().DATABASE_URL }),
      /^governance: GOVERNANCE_SCRUB_KEY_FILE: this key is not the one [^\n]+\n$/,
    ],
    [
      "a wrong password",
      async () => {
        const url = new URL(env().DATABASE_URL);
        url.password = "wrong-secret";
        return { ...key, DATABASE_URL: url.href };
      },
      /^governance: DATABASE_URL: cannot connect \(28P01\): the password is wrong\n$/,
    ],
  ])("%s", async (_, settings, reason) => {
    const spoiled = await settings();
    const before = await recorded();
    proxy.cut();
    await using folder = await mkdtempDisposable(join(tmpdir(), "governance-away-"));
    await using service = start(settingsFor(folder.path, spoiled));
    await service.ready;
    const configStore = await clientOf(service, folder.path, ParameterChangeAuditorService, "config-store");
    expect((await configStore.checkWrite(write("waits"))).durability).toBe(Durability.BUFFERED);
    expect(service.stdout()).toContain("which cannot be used yet");
    mendAll();
    const { code, stderr } = await service.ended;
    expect(stderr).toMatch(reason);
    expect(stderr).not.toContain("secret");
    expect(code).toBe(1);
    expect(await recorded(), "nothing is written before the checks").toBe(before);
  });

  async function recorded(): Promise<string | undefined> {
    const text = "select count(*)::text as count from auditor.parameter_change";
    return (await database.query<{ count: string }>("superuser", text))[0]?.count;
  }
});
