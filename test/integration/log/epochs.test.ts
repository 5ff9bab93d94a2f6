import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { appendActions } from "../../../src/ledger/append.ts";
import { beginEpoch } from "../../../src/log/beginEpoch.ts";
import { checkLinks, checkLog } from "../../faults/checker/log.ts";
import { auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { runCli } from "../../support/cli.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { collect, readExport } from "../../support/exportReader.ts";
import { asRefusal, refusalOf } from "../../support/refusal.ts";
import { asRestored } from "../../support/restored.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action } from "../ledger/actions.ts";
import { eventIdsOf, readReports, reportsAs } from "../reports/reading.ts";
import { drained } from "../spool/spooling.ts";
import { actionRow } from "./records.ts";

let running: AsyncDisposableStack;
let database: TestDatabase;
let dataDir: string;
let bot: LedgerClient;
let service: TestService;
let begun: Awaited<ReturnType<typeof beginEpoch>>;
/** What readers had of the log before: its entries, and an export's way on. */
let before: unknown[];
let resumeToken: string;
let refusedStart: unknown;
let refusedWrite: unknown;

const start = () => startTestService({ database, env: { GOVERNANCE_DATA_DIR: dataDir } });
const admin = () => ({ connectionString: database.url("admin") });
const entries = (upTo: number) =>
  database.query(
    "superuser",
    `select epoch, position, source, xid::text, ord, accepted_at::text from log.entry
     where epoch = 1 and position <= $1 order by position`,
    [upTo],
  );

/**
 * A database restored from a dump that was taken while the log was behind: some records have positions and what follows
 * from them is on record; others have positions only; others have none.
 */
beforeAll(async () => {
  running = new AsyncDisposableStack();
  dataDir = join(running.use(await mkdtempDisposable(join(tmpdir(), "epochs-"))).path, "data");
  database = running.use(await createTestDatabase());
  const holder = new pg.Client({ connectionString: database.url("superuser") });
  await holder.connect();
  running.defer(() => holder.end());
  {
    await using old = await start();
    const writer = await ledgerAs(old, "bot");
    const store = await auditorAs(old, "config-store");
    await writer.recordUserAction(action("followed", { traceId: "one", sessionSeq: 1n }));
    await writer.recordExecutionReport({ fillId: "f1", traceId: "one" });
    const { resumePoints } = await readExport((await ledgerAs(old, "compliance")).exportUserActions({}));
    resumeToken = resumePoints[0]?.token ?? "";
    await holder.query("begin");
    await holder.query("select pg_current_xact_id()");
    await writer.recordExecutionReport({ fillId: "f2", traceId: "one" });
    await writer.recordUserAction(action("placed", { traceId: "two", sessionSeq: 3n }));
    await writer.recordExecutionReport({ fillId: "f3", traceId: "two" });
    await store.checkWrite(write("p"));
    await writer.recordExecutionReport({ fillId: "f4", traceId: "two" });
    await writer.recordUserAction(action("unplaced", { traceId: "three", sessionSeq: 5n }));
    await writer.recordExecutionReport({ fillId: "f5", traceId: "three" });
  }
  await holder.query("commit");
  await database.query("service", "select log.advance(2)");
  await asRestored(database);
  before = await entries(1_000);

  refusedStart = await start().catch((cause: unknown) => cause);
  refusedWrite = await database
    .query("service", "select log.current_epoch()")
    .catch((cause: unknown) => cause);
  begun = await beginEpoch(admin(), false);
  service = running.use(await start());
  bot = await ledgerAs(service, "bot");
});
afterAll(() => running.disposeAsync());

async function wrong() {
  const client = new pg.Client({ connectionString: database.url("superuser") });
  await client.connect();
  try {
    return [...(await checkLog(client)), ...(await checkLinks(client))];
  } finally {
    await client.end();
  }
}

test("a restored database is refused, in one line that names the command, and nobody writes to it", () => {
  expect(refusedStart).toMatchObject({ name: "StartupError" });
  expect(String(refusedStart)).toContain("run: governance begin-epoch");
  expect(refusedWrite).toMatchObject({ code: "GV001" });
});

test("what had a position keeps it; what had none has one in the new epoch, once and in its order", async () => {
  expect(begun).toMatchObject({ begun: true, previousEpoch: 1, previousPosition: before.length });
  expect(begun.epoch).toBeGreaterThan(20_000_000);
  expect(await entries(1_000)).toEqual(before);
  await expect.poll(wrong, { timeout: 10_000 }).toEqual([]);
  const compliance = await ledgerAs(service, "compliance");
  const { lines, trailer } = await readExport(compliance.exportUserActions({}));
  expect(lines.map((line) => JSON.parse(line).event_id)).toEqual(["followed", "placed", "unplaced"]);
  expect(trailer.epoch).toBe(BigInt(begun.epoch));
  // Found by its key again, in the epoch that it came into.
  expect(await bot.recordUserAction(action("unplaced", { traceId: "three", sessionSeq: 5n }))).toMatchObject({
    outcome: RecordOutcome.DUPLICATE,
  });
});

test("what follows from records is noticed once, whether it was noticed before or not", async () => {
  await expect.poll(wrong, { timeout: 10_000 }).toEqual([]);
  const links = await database.query<{ of: string }>(
    "superuser",
    "select event_id || ' ' || fill_id as of from ledger.fill_link order by 1",
  );
  expect(links.map((link) => link.of)).toEqual([
    "followed f1",
    "followed f2",
    "placed f3",
    "placed f4",
    "unplaced f5",
  ]);
  const gaps = await database.query(
    "superuser",
    "select opened::text, closed::text from ledger.session_gap order by accepted_at",
  );
  expect(gaps).toEqual([
    { opened: "{[1,2)}", closed: "{}" },
    { opened: "{[3,4)}", closed: "{}" },
  ]);
});

test("readers go from one epoch into the next; who had read further than the backup is told where to go on", async () => {
  const compliance = await reportsAs(service, "compliance");
  await using whole = readReports(compliance, {});
  await bot.recordUserAction(action("after"));
  const all = await whole.until((messages) => eventIdsOf(messages).includes("after"));
  expect(eventIdsOf(all).filter((id) => !id.startsWith("f"))).toContain("unplaced");
  const places = all.map(({ at }) => [Number(at?.epoch), Number(at?.position)]);
  const own = places.filter(([epoch]) => epoch === begun.epoch).length;
  expect(places, "no gap, no repeat").toEqual([
    ...before.map((_, i) => [1, i + 1]),
    ...Array.from({ length: own }, (_, i) => [begun.epoch, i + 1]),
  ]);
  const last = { epoch: 1n, position: BigInt(before.length), part: 99 };
  await using rest = readReports(compliance, { after: last });
  const first = (await rest.until((messages) => messages.length > 0))[0];
  expect([Number(first?.at?.epoch), Number(first?.at?.position)]).toEqual([begun.epoch, 1]);

  for (const after of [
    { ...last, position: last.position + 1n },
    { epoch: 7n, position: 1n },
  ]) {
    const refused = await refusalOf(collect(compliance.streamReports({ after })));
    expect(refused).toMatchObject({ code: "Aborted", reason: "LOG_EPOCH_CHANGED" });
    expect(refused.message).toContain(`go on after it (1:${before.length})`);
  }
  const exporting = (await ledgerAs(service, "compliance")).exportUserActions({ resumeToken });
  expect(await refusalOf(readExport(exporting))).toMatchObject({ reason: "LOG_EPOCH_CHANGED" });
});

test("a service whose database is restored under it keeps what comes, until the operator begins an epoch", async () => {
  const compliance = await reportsAs(service, "compliance");
  await using reader = readReports(compliance, { fromNow: true, progressSeconds: 1 });
  await reader.until((messages) => messages.length > 0);
  await bot.recordUserAction(action("before it"));
  await reader.until((messages) => eventIdsOf(messages).includes("before it"));
  await asRestored(database);
  expect(await bot.recordUserAction(action("meanwhile"))).toMatchObject({ outcome: RecordOutcome.BUFFERED });
  const listing = (await ledgerAs(service, "compliance")).listUserActions({});
  expect(await refusalOf(listing)).toMatchObject({ reason: "STORE_UNAVAILABLE" });

  const env = { DATABASE_URL: database.url("service"), DATABASE_ADMIN_URL: database.url("admin") };
  const run = await runCli(["begin-epoch"], { env });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdout).toMatch(
    /^the log is in epoch \d+: epoch \d+ ended at position \d+, 0 records had no position in it\n$/,
  );
  expect((await runCli(["begin-epoch"], { env })).stdout).toMatch(/^nothing to do/);
  await drained(service);
  await reader.until((messages) => eventIdsOf(messages).includes("meanwhile"));
  expect(eventIdsOf(reader.messages).filter((id) => id === "before it")).toHaveLength(1);
  await expect.poll(wrong, { timeout: 10_000 }).toEqual([]);
});

test("whoever writes while an epoch begins is in the old one or the new one, and has its position", async () => {
  const [early, late] = await Promise.all(
    ["begun before it", "with an id of before it"].map(async () => {
      const client = new pg.Client({ connectionString: database.url("service") });
      await client.connect();
      await client.query("begin");
      await client.query("select pg_current_xact_id()");
      return client;
    }),
  );
  if (early === undefined || late === undefined) throw new Error("no clients");
  await database.query("service", "select maintenance.ensure_month('2026-05-01Z')");
  await appendActions(early, [actionRow("early")]);
  const beginning = beginEpoch(admin(), true);
  await expect
    .poll(() =>
      database.query("superuser", "select from pg_locks where locktype = 'advisory' and not granted"),
    )
    .toHaveLength(1);
  await early.query("commit");
  expect(await beginning).toMatchObject({ begun: true, broughtAlong: 1 });
  await appendActions(late, [actionRow("late")]);
  await late.query("commit");
  await Promise.all([early.end(), late.end()]);
  await expect.poll(wrong, { timeout: 10_000 }).toEqual([]);
  const entries = await database.query(
    "superuser",
    `select event_id, e.position::int as position from ledger.user_action a
     join log.entry e using (epoch, xid, ord) where source = 'a' and event_id in ('early', 'late') order by 2`,
  );
  expect(entries).toEqual([
    { event_id: "early", position: 1 },
    { event_id: "late", position: 2 },
  ]);
});

test("after a promotion the log goes on by itself in a new epoch: what was placed last may not be there", async () => {
  const compliance = await reportsAs(service, "compliance");
  await using reader = readReports(compliance, { fromNow: true, progressSeconds: 1 });
  const [now] = await reader.until((messages) => messages.length > 0);
  await database.query("superuser", "update log.state set timeline = 7");
  await bot.recordUserAction(action("promoted"));
  const all = await reader.until((messages) => eventIdsOf(messages).includes("promoted"));
  expect(Number(all.at(-1)?.at?.epoch)).toBe(Number(now?.at?.epoch) + 1);
  const [last] = await database.query(
    "superuser",
    "select why, epoch from log.epoch order by epoch desc limit 1",
  );
  expect(last).toMatchObject({ why: "promoted", epoch: Number(all.at(-1)?.at?.epoch) });
  await expect.poll(wrong, { timeout: 10_000 }).toEqual([]);

  // A live reader that has more than is there.
  await using ahead = readReports(compliance, { fromNow: true, progressSeconds: 1 });
  await ahead.until((messages) => messages.length > 0);
  await bot.recordUserAction(action("lost"));
  await ahead.until((messages) => eventIdsOf(messages).includes("lost"));
  await database.query(
    "superuser",
    `begin; set local role governance_owner; set local governance.maintenance = 'on';
     delete from log.entry e using log.state s where e.epoch = s.epoch and e.position = s.next_position - 1;
     update log.state set next_position = next_position - 1, timeline = 7,
       horizon = (select xid from ledger.user_action where event_id = 'lost'), followed = (select xid from ledger.user_action where event_id = 'lost');
     commit`,
  );
  await bot.recordUserAction(action("found"));
  expect(asRefusal(await ahead.ended)).toMatchObject({ reason: "LOG_EPOCH_CHANGED" });
});
