import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { runCli } from "../../support/cli.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { expectTrailerToProve, readExport } from "../../support/exportReader.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { action } from "../ledger/actions.ts";
import { type Command, start } from "../start/command.ts";
import { clientOf, settingsFor } from "../start/serving.ts";

// Processes start slowly on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Each has a connection of its own. */
const callers = 8;

const parts = new AsyncDisposableStack();
let database: TestDatabase;
let proxy: DatabaseProxy;
let dataDir: string;
let settings: Record<string, string>;
let service: Command;
let embedded: Record<string, string>;
let onEmbedded: Command;
beforeAll(async () => {
  database = parts.use(await createTestDatabase());
  proxy = parts.use(await startDatabaseProxy());
  const folder = parts.use(await mkdtempDisposable(join(tmpdir(), "governance-processes-")));
  dataDir = join(folder.path, "data");
  settings = settingsFor(dataDir, {
    DATABASE_URL: proxy.through(database.url("service")),
    GOVERNANCE_PROCESSES: "2",
  });
  service = parts.use(start(settings));
  const other = parts.use(await mkdtempDisposable(join(tmpdir(), "governance-processes-")));
  embedded = settingsFor(other.path, { GOVERNANCE_PROCESSES: "2" });
  onEmbedded = parts.use(start(embedded)); // It makes its cluster while the first tests run.
});
afterAll(() => parts.disposeAsync());

type Bot = Awaited<ReturnType<typeof botOf>>;
const botsOf = (of: Command) => Promise.all(Array.from({ length: callers }, () => botOf(of)));
const botOf = (of: Command, folder = dataDir) => clientOf(of, folder, UserActivityLedgerService, "bot");

/** What was acknowledged, in all tests. */
const acknowledged = new Set<string>();

async function record(bot: Bot, eventId: string): Promise<RecordOutcome> {
  const { outcome } = await bot.recordUserAction(action(eventId));
  acknowledged.add(eventId);
  return outcome;
}

async function exported(of: Command, folder = dataDir) {
  const compliance = await clientOf(of, folder, UserActivityLedgerService, "compliance");
  return readExport(compliance.exportUserActions({}));
}

/** What was acknowledged and is not in the export. */
async function missing(of: Command, folder = dataDir): Promise<string[]> {
  const received = await exported(of, folder);
  expectTrailerToProve(received);
  const recorded = received.lines.map((line) => /"event_id":"([^"]+)"/.exec(line)?.[1] ?? "");
  expect(new Set(recorded).size).toBe(recorded.length);
  return [...acknowledged].filter((eventId) => !recorded.includes(eventId));
}

async function metric(sample: string): Promise<number> {
  const { httpPort } = await service.ready;
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return Number(line?.split(" ").at(-1));
}

async function pidOf(process: number, folder = dataDir): Promise<number> {
  return Number(await readFile(join(folder, `process-${process}`, "lock.pid"), "utf8"));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** How many records wait in the spool of each process. */
async function spooled(): Promise<number[]> {
  const { stdout } = await runCli(["spool", "show", "--json", "--dir", dataDir]);
  const { processes, ...first } = JSON.parse(stdout);
  return [first, ...processes].map(({ held }) =>
    held.reduce((sum: number, { entries }: { entries: number }) => sum + entries, 0),
  );
}

/** Cuts the processes off from their database until the spool of each holds records. */
async function spool(bots: readonly Bot[], prefix: string): Promise<void> {
  proxy.cut();
  const isSpooled = (bot: Bot, n: number) => async () => {
    return (await record(bot, `${prefix}-${n}`)) === RecordOutcome.BUFFERED;
  };
  for (const [n, bot] of bots.entries()) await expect.poll(isSpooled(bot, n), { timeout: 30_000 }).toBe(true);
  expect(Math.min(...(await spooled()))).toBeGreaterThan(0);
}

test("two processes serve the connections to one port, into one log without gaps, and are greeted once", async () => {
  const bots = await botsOf(service);
  for (const [n, bot] of bots.entries())
    for (let i = 0; i < 5; i++) expect(await record(bot, `both-${n}-${i}`)).toBe(RecordOutcome.RECORDED);
  expect(await missing(service)).toEqual([]);
  const [log] = await database.query<{ n: number; head: number }>(
    "superuser",
    "select count(*)::int as n, max(position)::int as head from log.entry",
  );
  expect(log?.n).toBe(log?.head);
  // In turns: each has half of the connections.
  for (const process of [1, 2]) {
    const calls = `polytraders_gov_rpc_calls_total{method="UserActivityLedgerService/RecordUserAction",code="OK",process="${process}"}`;
    expect(await metric(calls)).toBe((callers / 2) * 5);
    expect(await metric(`polytraders_gov_process_up{process="${process}"}`)).toBe(1);
  }
  expect(service.stdout().match(/is ready/g)).toHaveLength(1);
});

test("what no process can start with, or go on with, is said once and ends all", async () => {
  const { grpcPort } = await service.ready;
  const another = { ...settings, GOVERNANCE_DATA_DIR: `${dataDir}-2` };
  proxy.cut();
  await using late = start(another);
  const taken = { GOVERNANCE_GRPC_ADDR: `127.0.0.1:${grpcPort}`, GOVERNANCE_DATA_DIR: `${dataDir}-3` };
  const { code, stderr } = await start({ ...settings, ...taken }).ended;
  expect(stderr).toMatch(/^governance: GOVERNANCE_GRPC_ADDR: cannot listen on [^\n]*\n$/);
  expect(code).toBe(1);

  await late.ready;
  proxy.mend(); // Only now it shows that its key is not the database's.
  const end = await late.ended;
  expect(end.stderr).toMatch(/^governance: GOVERNANCE_SCRUB_KEY_FILE: this key is not the one [^\n]*\n$/);
  expect(end.code).toBe(1);
});

test("a process that is killed comes back and drains its spool, and connections to the other go on", async () => {
  const bots = await botsOf(service);
  await spool(bots, "killed");
  process.kill(await pidOf(2), "SIGKILL");
  const first = await Promise.allSettled(bots.map((bot, n) => record(bot, `after-${n}`)));
  const went = first.filter(({ status }) => status === "fulfilled").length;
  expect(went).toBeGreaterThanOrEqual(callers / 2);
  for (const [n, bot] of bots.entries()) await record(bot, `after-${n}`);

  proxy.mend();
  await expect.poll(() => metric('polytraders_gov_process_up{process="2"}'), { timeout: 30_000 }).toBe(1);
  expect(await metric('polytraders_gov_process_restarts_total{process="2"}')).toBe(1);
  await expect.poll(spooled, { timeout: 30_000 }).toEqual([0, 0]);
  expect(await missing(service)).toEqual([]);
});

test("without the first process the others end, and a single one goes on with what they left in their spools", async () => {
  await spool(await botsOf(service), "left");
  const pids = [await pidOf(1), await pidOf(2)];
  process.kill(service.pid, "SIGKILL");
  await expect.poll(() => pids.filter(isRunning), { timeout: 15_000 }).toEqual([]);

  proxy.mend();
  await using single = start({ ...settings, GOVERNANCE_PROCESSES: "1" });
  await expect.poll(() => missing(single), { timeout: 30_000 }).toEqual([]);
  expect(await spooled()).toEqual([0, 0]);
});

test("on an embedded Postgres SIGTERM under load stops all, and what was acknowledged is recorded", async () => {
  const folder = embedded.GOVERNANCE_DATA_DIR ?? "";
  acknowledged.clear();
  const loads = Array.from({ length: callers }, async (_, n) => {
    const bot = await botOf(onEmbedded, folder);
    for (let i = 0; ; i++) await record(bot, `load-${n}-${i}`);
  }).map((load) => load.catch(() => undefined));
  await expect.poll(() => acknowledged.size, { timeout: 30_000 }).toBeGreaterThan(100);
  const pids = [await pidOf(1, folder), await pidOf(2, folder)];
  onEmbedded.signal("SIGTERM");
  const { code, stderr } = await onEmbedded.ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(pids.filter(isRunning)).toEqual([]);
  await Promise.all(loads);

  await using again = start(embedded);
  expect(await missing(again, folder)).toEqual([]);
});
