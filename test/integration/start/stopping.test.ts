import { mkdtempDisposable } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { readExport } from "../../support/exportReader.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { type Command, start } from "./command.ts";
import { clientOf, settingsFor } from "./serving.ts";

// Processes start slowly on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

const parts = new AsyncDisposableStack();
let proxy: DatabaseProxy;
let database: TestDatabase;
let dataDir: string;
let settings: Record<string, string>;
beforeAll(async () => {
  database = parts.use(await createTestDatabase());
  proxy = parts.use(await startDatabaseProxy());
  dataDir = join(parts.use(await mkdtempDisposable(join(tmpdir(), "governance-stopping-"))).path, "data");
  settings = settingsFor(dataDir, { DATABASE_URL: proxy.through(database.url("service")) });
});
afterAll(() => parts.disposeAsync());
afterEach(() => proxy.thaw());

const action = (eventId: string) => ({
  eventId,
  wallet: `0x${"1".repeat(40)}`,
  sessionId: "s",
  actionType: "HALT",
});

/** Records until it is refused; resolves with what it was acknowledged. */
async function load(service: Command, prefix: string, acknowledged: Set<string>): Promise<void> {
  const bot = await clientOf(service, dataDir, UserActivityLedgerService, "bot");
  for (let i = 0; ; i++) {
    try {
      await bot.recordUserAction(action(`${prefix}-${i}`));
    } catch {
      return;
    }
    acknowledged.add(`${prefix}-${i}`);
  }
}

/** A producer that opens its stream and is never heard of again. */
async function silentStream(service: Command): Promise<{ readonly ended: Promise<unknown> }> {
  const bot = await clientOf(service, dataDir, UserActivityLedgerService, "bot");
  async function* open() {
    yield { message: { case: "open" as const, value: { streamId: "silent" } } };
    await new Promise(() => undefined);
  }
  const ended = (async () => {
    for await (const _ of bot.streamUserActions(open()));
  })().catch(() => undefined);
  return { ended };
}

/** A call over HTTP whose body never comes to its end. */
async function halfCall(service: Command): Promise<Disposable> {
  const { httpPort } = await service.ready;
  const path = "/polytraders.governance.v1.UserActivityLedgerService/RecordUserAction";
  const headers = { "content-type": "application/json", "content-length": 100 };
  const request = http.request({ port: httpPort, path, method: "POST", headers });
  request.on("error", () => undefined);
  request.write("{");
  return { [Symbol.dispose]: () => void request.destroy() };
}

test("with Postgres frozen, streams that are stuck and calls under way it stops within 10 s, and what it acknowledged is recorded at the next start", async () => {
  const acknowledged = new Set<string>();
  {
    await using service = start(settings);
    await service.ready;
    const compliance = await clientOf(service, dataDir, UserActivityLedgerService, "compliance");
    const loads = ["a", "b", "c", "d"].map((prefix) => load(service, prefix, acknowledged));
    const silent = await silentStream(service);
    using _half = await halfCall(service);
    await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(50);
    proxy.freeze();
    const before = acknowledged.size;
    await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(before + 50);
    const reading = readExport(compliance.exportUserActions({})).catch(() => undefined);
    const startedMs = performance.now();
    service.signal("SIGTERM");
    const { code, stderr } = await service.ended;
    expect([code, stderr]).toEqual([0, ""]);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    await Promise.all([...loads, silent.ended, reading]);
  }
  proxy.thaw();
  await using service = start(settings);
  const compliance = await clientOf(service, dataDir, UserActivityLedgerService, "compliance");
  const missing = async () => {
    const { lines } = await readExport(compliance.exportUserActions({}));
    const recorded = new Set(lines.map((line) => /"event_id":"([^"]+)"/.exec(line)?.[1]));
    return [...acknowledged].filter((eventId) => !recorded.has(eventId));
  };
  await expect.poll(missing, { timeout: 10_000 }).toEqual([]);
});
