import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import pg from "pg";
import { type Logger, pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { readExport } from "../../support/exportReader.ts";
import { logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action } from "./actions.ts";
import { fill, fillsBySession } from "./fillReports.ts";
import { holdEvent } from "./heldRow.ts";

let database: TestDatabase;
let env: NodeJS.ProcessEnv;
let running: AsyncDisposableStack;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-keys-")));
  env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
});
afterEach(() => running.disposeAsync());

/** A replica on the test's database. */
function start(log?: Logger): Promise<TestService> {
  return startTestService({ database, env, ...(log === undefined ? {} : { log }) });
}

type Link = { readonly event_id: string; readonly fill_id: string; readonly session_id: string };

function links(): Promise<Link[]> {
  return database.query(
    "superuser",
    "select event_id, fill_id, session_id from ledger.fill_link order by event_id, fill_id",
  );
}

/** Somebody's open write transaction: the log waits for it. */
async function openTransaction(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url("superuser") });
  await client.connect();
  running.defer(() => client.end());
  await client.query("begin; select pg_current_xact_id()");
  return client;
}

test("an action and a fill whose transactions overlap do not miss each other, whichever commits last", async () => {
  const service = running.use(await start());
  const bot = await ledgerAs(service, "bot");
  const compliance = await ledgerAs(service, "compliance");
  for (const last of ["action", "fill"] as const) {
    const client = new pg.Client({ connectionString: database.url("superuser") });
    await client.connect();
    const other = new pg.Client({ connectionString: database.url("superuser") });
    await other.connect();
    const record = {
      action: `insert into ledger.user_action (accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id, action_type, recorded_by, trace_id)
        values (now(), 1, 0, '2033-01-01', '${last}', '${last}', '0x', '${last}', 'HALT', 'test', '${last}')`,
      fill: `insert into ledger.fill_report (accepted_at, epoch, ord, retained_until, record_id, fill_id, status, recorded_by, trace_id)
        values (now(), 1, 0, '2033-01-01', '${last}', 'f', 'MATCHED', 'test', '${last}')`,
    };
    await client.query("begin");
    await client.query(record[last]);
    await other.query("begin");
    await other.query(record[last === "action" ? "fill" : "action"]);
    await other.query("commit");
    await other.end();
    // Others go on meanwhile, behind both.
    await bot.recordUserAction(action(`while ${last}`));
    await client.query("commit");
    await client.end();
    expect(await fillsBySession(compliance, last)).toEqual({ [last]: ["f"] });
  }
  expect(await links()).toHaveLength(2);
});

test("an action that waits for a lock while its fill is recorded is linked once it is there", async () => {
  const service = running.use(await start());
  const bot = await ledgerAs(service, "bot");
  let recorded: Promise<unknown>;
  {
    await using held = await holdEvent(database, "held");
    recorded = bot.recordUserAction(action("held", { sessionId: "held", traceId: "held" }));
    await held.waitedFor();
    await bot.recordExecutionReport(fill("t", "held", { traceId: "held" }));
  }
  await recorded;
  expect(await fillsBySession(await ledgerAs(service, "compliance"), "held")).toEqual({ held: ["t:held"] });
});

test("what a replica committed before it ended, and had no time to link, is linked by the next one", async () => {
  const holder = await openTransaction();
  {
    await using first = await start();
    const bot = await ledgerAs(first, "bot");
    await bot.recordUserAction(action("restart", { traceId: "restart" }));
    await bot.recordExecutionReport(fill("t", "restart", { traceId: "restart" }));
  }
  expect(await links()).toEqual([]);
  await holder.query("rollback");
  running.use(await start());
  await expect.poll(links).toMatchObject([{ event_id: "restart", fill_id: "t:restart" }]);
});

test("of two replicas each link is made by one, counted there, and read on both at once", async () => {
  const replicas = [running.use(await start()), running.use(await start())];
  const bots = await Promise.all(replicas.map((replica) => ledgerAs(replica, "bot")));
  const compliances = await Promise.all(replicas.map((replica) => ledgerAs(replica, "compliance")));
  const [one, other] = bots;
  if (one === undefined || other === undefined) throw new Error("no service");
  const sends = Array.from({ length: 40 }, async (_, i) => {
    const trace = { traceId: `both_${i}` };
    await Promise.all([
      one.recordUserAction(action(`both_${i}`, { sessionId: "both", ...trace })),
      other.recordExecutionReport(fill("t1", `both_${i}`, trace)),
      one.recordExecutionReport(fill("t2", `both_${i}`, trace)),
    ]);
  });
  await Promise.all(sends);
  const expected = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`both_${i}`, [`t1:both_${i}`, `t2:both_${i}`]]),
  );
  const seen = await Promise.all(compliances.map((compliance) => fillsBySession(compliance, "both")));
  expect(seen).toEqual([expected, expected]);
  expect(await links()).toHaveLength(80);
  const name = "polytraders_gov_useractivityledger_fill_links_total";
  const counted = await Promise.all(replicas.map((replica) => metricValue(replica, name)));
  expect(counted.reduce((sum: number, one) => sum + (one ?? 0), 0)).toBe(80);
});

test("each link is told once in a developer record, with the fields of the specification", async () => {
  const records: Record<string, unknown>[] = [];
  const lines = new Writable({
    write(line, _, done) {
      records.push(JSON.parse(String(line)));
      done();
    },
  });
  const service = running.use(await start(pino({ level: "debug" }, lines)));
  const bot = await ledgerAs(service, "bot");
  const before = Date.now();
  await bot.recordExecutionReport(fill("t", "told", { fillId: "fill_told", traceId: "told" }));
  await bot.recordUserAction(action("told", { sessionId: "sess_told", traceId: "told" }));
  await fillsBySession(await ledgerAs(service, "compliance"), "sess_told");
  const told = records.filter((record) => record.event_type === "ACTION_LINKED_TO_FILL");
  expect(told).toEqual([
    expect.objectContaining({
      level: 20,
      bot_id: "gov.useractivityledger",
      session_id: "sess_told",
      fill_id: "fill_told",
      linked_at_ms: expect.any(Number),
    }),
  ]);
  expect(Number(told[0]?.linked_at_ms)).toBeGreaterThanOrEqual(before);
  expect(Number.isInteger(told[0]?.linked_at_ms)).toBe(true);
});

test("a link is a record of its own in the log, kept for seven years, and the records it links stay as they are", async () => {
  const service = running.use(await start());
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("own", { traceId: "own" }));
  const stored = () => database.query("superuser", "select * from ledger.user_action");
  const before = await stored();
  await bot.recordExecutionReport(fill("t", "own", { traceId: "own" }));
  await fillsBySession(await ledgerAs(service, "compliance"), "sess_1");
  expect(await stored()).toEqual(before);
  const placed = await database.query(
    "superuser",
    `select l.record_id ~ '^[0-9A-HJKMNP-TV-Z]{26}$' as ulid, l.retained_until >= l.linked_at::date + 2555 as kept
     from log.entry e join ledger.fill_link l on (l.epoch, l.xid, l.ord) = (e.epoch, e.xid, e.ord) where e.source = 'l'`,
  );
  expect(placed).toEqual([{ ulid: true, kept: true }]);
});

test("an export goes on with the links that were there when it began", async () => {
  const service = running.use(await start());
  const bot = await ledgerAs(service, "bot");
  const compliance = await ledgerAs(service, "compliance");
  const params = { filler: "x".repeat(60_000) };
  const record = (i: number) => bot.recordUserAction(action(`cut_${i}`, { traceId: `cut_${i}`, params }));
  const all = Array.from({ length: 20 }, (_, i) => i);
  await Promise.all(all.map(record));
  await bot.recordExecutionReport(fill("t", "cut_19", { traceId: "cut_19" }));
  const uncut = await readExport(compliance.exportUserActions({}));
  const [firstChunk] = uncut.resumePoints;
  for (const i of all) {
    const later = fill("later", `cut_${i}`, { fillId: `later_${i}`, traceId: `cut_${i}` });
    await bot.recordExecutionReport(later);
  }
  await bot.recordExecutionReport(fill("t", "cut_19", { fillId: "own" })); // Its fill gets another name.
  const rest = await readExport(compliance.exportUserActions({ resumeToken: firstChunk?.token ?? "" }));
  expect(rest.bytes.equals(uncut.bytes.subarray(firstChunk?.bytes))).toBe(true);
  const linked = (lines: readonly string[]) =>
    lines.flatMap((line) => JSON.parse(line).fill_ids ?? []).toSorted();
  expect(linked(uncut.lines)).toEqual(["t:cut_19"]);
  const now = await readExport(compliance.exportUserActions({}));
  expect(linked(now.lines)).toEqual([...all.map((i) => `later_${i}`), "own"].toSorted());
});

test("a record is linked with 1,000 others at most when it arrives, and the log says so", async () => {
  const records = logRecords();
  const service = running.use(await start(records.log));
  const bot = await ledgerAs(service, "bot");
  for (let batch = 0; batch < 11; batch++) {
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        bot.recordExecutionReport(fill(`t_${batch}_${i}`, "constant", { traceId: "constant" })),
      ),
    );
  }
  await bot.recordUserAction(action("late", { sessionId: "sess_constant", traceId: "constant" }));
  const { late } = await fillsBySession(await ledgerAs(service, "compliance"), "sess_constant");
  expect(late).toHaveLength(1000);
  expect(records.text()).toContain("linked with 1000 others at once, which is the most");

  // What comes one by one is linked without a limit.
  await bot.recordExecutionReport(fill("one_more", "constant", { traceId: "constant" }));
  await fillsBySession(await ledgerAs(service, "compliance"), "sess_constant");
  expect(await links()).toHaveLength(1001);
});
