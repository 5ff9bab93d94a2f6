import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { keepPostgres } from "../../../src/db/embedded/keepPostgres.ts";
import { readPidFile } from "../../../src/db/embedded/pidFile.ts";
import { readExport } from "../../support/exportReader.ts";
import { type Command, start } from "./command.ts";
import { clientOf, settingsFor } from "./serving.ts";

// Processes start slowly on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

const parts = new AsyncDisposableStack();
let folder: string;
let dataDir: string;
beforeAll(async () => {
  folder = parts.use(await mkdtempDisposable(join(tmpdir(), "governance-killed-"))).path;
  dataDir = join(folder, "data");
});
afterAll(() => parts.disposeAsync());

/** The Postgres that serves the folder. Between two of them the file names the service. */
async function pidOf(postgres: string): Promise<number | undefined> {
  const found = await readPidFile(postgres);
  if (found?.ready !== true) return undefined;
  const program = await readFile(`/proc/${found.pid}/comm`, "utf8").catch(() => "");
  return program.trim() === "postgres" ? found.pid : undefined;
}

/** Kills the Postgres in the folder; resolves once another one is ready, with how long that took, ms. */
async function killAndWait(postgres: string): Promise<number> {
  const killed = await pidOf(postgres);
  if (killed === undefined) throw new Error("there is no Postgres to kill");
  process.kill(killed, "SIGKILL");
  const startedMs = performance.now();
  await expect
    .poll(
      async () => {
        const now = await pidOf(postgres);
        return now !== undefined && now !== killed;
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  return performance.now() - startedMs;
}

/** Records one action after the other until it is told to stop. */
async function load(service: Command, prefix: string, acknowledged: Set<string>, stop: AbortSignal) {
  const bot = await clientOf(service, dataDir, UserActivityLedgerService, "bot");
  const unanswered: string[] = [];
  for (let i = 0; !stop.aborted; i++) {
    const eventId = `${prefix}-${i}`;
    const action = { eventId, wallet: `0x${"1".repeat(40)}`, sessionId: prefix, actionType: "HALT" };
    try {
      await bot.recordUserAction(action);
      acknowledged.add(eventId);
    } catch (cause) {
      unanswered.push(`${eventId}: ${String(cause)}`);
    }
  }
  return unanswered;
}

test("an embedded Postgres that is killed is started again: every action is taken meanwhile, and none is lost", async () => {
  await using service = start(settingsFor(dataDir));
  await service.ready;
  const acknowledged = new Set<string>();
  const stop = new AbortController();
  const callers = Array.from({ length: 8 }, (_, n) => load(service, `c${n}`, acknowledged, stop.signal));
  await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(100);
  for (let kill = 0; kill < 3; kill++) {
    const before = acknowledged.size;
    expect(await killAndWait(join(dataDir, "postgres"))).toBeLessThan(15_000);
    await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(before + 50);
  }
  stop.abort();
  expect((await Promise.all(callers)).flat()).toEqual([]);

  const compliance = await clientOf(service, dataDir, UserActivityLedgerService, "compliance");
  const missing = async () => {
    const { lines } = await readExport(compliance.exportUserActions({}));
    const recorded = new Set(lines.map((line) => /"event_id":"([^"]+)"/.exec(line)?.[1]));
    expect(recorded.size, "each is there once").toBe(lines.length);
    return [...acknowledged].filter((eventId) => !recorded.has(eventId));
  };
  await expect.poll(missing, { timeout: 5_000 }).toEqual([]);
  service.signal("SIGTERM");
  expect((await service.ended).code).toBe(0);
});

test("one that does not start again ends the service, which says why", async () => {
  await using service = start(settingsFor(dataDir));
  await service.ready;
  const versionFile = join(dataDir, "postgres", "PG_VERSION");
  const version = await readFile(versionFile, "utf8");
  await writeFile(versionFile, "17\n");
  const pid = await pidOf(join(dataDir, "postgres"));
  process.kill(pid ?? Number.NaN, "SIGKILL");
  const { code, stderr } = await service.ended;
  await writeFile(versionFile, version);
  expect(stderr).toMatch(
    /^governance: the embedded Postgres ended by itself \(SIGKILL\) and cannot be started again: .* was made by Postgres 17, [^\n]+\n$/,
  );
  expect(code).toBe(1);
});

test("where the path is too long for a socket, it comes back on the socket that its clients know", async () => {
  const options = {
    dataDir: join(folder, "x".repeat(100), "postgres"),
    logFile: join(folder, "postgres.log"),
    extraSettings: { fsync: "off" },
  };
  const postgres = await keepPostgres(options, pino({ level: "silent" }));
  try {
    expect(dirname(postgres.service.host)).toBe(tmpdir());
    await killAndWait(options.dataDir);
    const client = new Client(postgres.service);
    await expect.poll(() => client.connect().then(() => true)).toBe(true);
    await client.end();
  } finally {
    await postgres.stop(5_000);
  }
});

test("a service that is stopped while its Postgres recovers does not wait for it", async () => {
  await using service = start(settingsFor(dataDir));
  await service.ready;
  const pid = await pidOf(join(dataDir, "postgres"));
  process.kill(pid ?? Number.NaN, "SIGKILL");
  await sleep(20);
  const startedMs = performance.now();
  service.signal("SIGTERM");
  expect((await service.ended).code).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});
