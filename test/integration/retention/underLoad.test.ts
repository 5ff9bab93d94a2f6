import pg from "pg";
import { expect, test } from "vitest";
import { RecordKind } from "../../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { asRefusal, refusalOf } from "../../support/refusal.ts";
import { write } from "../auditor/writes.ts";
import { action, otherWallet, wallet } from "../ledger/actions.ts";
import { monthsOf, type Past, startPast } from "./past.ts";

/** Months that all have expired records, a held one among those of every second. */
const months = ["2015-10", "2015-11", "2015-12", "2016-01", "2016-02", "2016-03"];

async function fillMonths(past: Past): Promise<void> {
  for (const [i, month] of months.entries()) {
    for (let n = 0; n < 20; n++)
      await past.act(`${month}-10T12:00:00Z`, `${month}_${n}`, { wallet: otherWallet });
    if (i % 2 === 0) await past.act(`${month}-11T12:00:00Z`, `${month}_held`);
  }
  past.comeBack();
  await past.retention.placeLegalHold({
    holdId: "h",
    scope: { kind: RecordKind.USER_ACTIVITY, wallet },
    reason: "r",
  });
}

test("months go while everybody writes and reads: no call fails, nothing else goes, what is held is always there", {
  timeout: 90_000,
}, async () => {
  await using past = await startPast();
  await fillMonths(past);
  const gate = await auditorAs(past.service, "config-store");
  const stop = new AbortController();
  const written: string[] = [];
  const held = months.filter((_, i) => i % 2 === 0).map((month) => `${month}_held`);
  let rounds = 0;

  async function until(step: (n: number) => Promise<void>): Promise<void> {
    for (let n = 0; !stop.signal.aborted; n++) await step(n);
  }
  const traffic = [
    ...Array.from({ length: 4 }, (_, writer) =>
      until(async (n) => {
        const id = `new_${writer}_${n}`;
        await past.bot.recordUserAction(action(id, { sessionId: "new" }));
        written.push(id);
      }),
    ),
    until(async (n) => {
      await gate.checkWrite(write(`p_${n}`));
    }),
    until(async () => {
      const before = [...written];
      const { actions } = await past.compliance.listUserActions({ wallet, pageSize: 1000 });
      const ids = new Set(actions.map(({ report }) => report?.eventId));
      expect(held.filter((id) => !ids.has(id))).toEqual([]);
      if (before.length < 900) expect(before.filter((id) => !ids.has(id))).toEqual([]);
    }),
    until(async () => {
      // An export from which records go is told to start again; any other end is whole.
      const before = [...written];
      const exported = await readExport(past.compliance.exportUserActions({ sessionId: "new" })).catch(
        asRefusal,
      );
      if ("reason" in exported) expect(exported.reason).toBe("EXPORT_CHANGED");
      else {
        const ids = new Set(exported.lines.map((line) => /"event_id":"([^"]+)"/.exec(line)?.[1]));
        expect(before.filter((id) => !ids.has(id))).toEqual([]);
      }
      rounds++;
    }),
  ];
  const ended = Promise.all(traffic);
  ended.catch(() => stop.abort());
  /** A call that failed ends the waiting at once: `ended` then tells it. */
  const moreRounds = (than: number) =>
    expect.poll(() => stop.signal.aborted || rounds > than, { timeout: 25_000 }).toBe(true);
  await moreRounds(1);
  const { run } = await past.operating.runPurge({});
  const after = rounds;
  await moreRounds(after + 1);
  stop.abort();
  await ended;

  const taken = (run?.steps ?? []).filter((step) => step.table === "ledger.user_action" && step.records > 0n);
  expect(
    taken.map(({ month, action: what, records, heldRecords }) => [month, what, records, heldRecords]),
  ).toEqual(months.map((month, i) => [month, "DETACHED", 20n, i % 2 === 0 ? 1n : 0n]));
  const left = await past.database.query<{ event_id: string }>(
    "superuser",
    "select event_id from ledger.user_action",
  );
  expect(left.map((row) => row.event_id).toSorted()).toEqual([...held, ...written].toSorted());
});

test("a reader that stays in its transaction holds up neither writers nor the purge for good: the next run ends it", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old");
  past.comeBack();
  await using clients = new AsyncDisposableStack();
  const reader = clients.adopt(new pg.Client({ connectionString: past.database.url("superuser") }), (it) =>
    it.end(),
  );
  await reader.connect();
  await reader.query("begin");
  await reader.query("select from ledger.user_action limit 1");
  const running = refusalOf(past.operating.runPurge({}));
  const pending = () =>
    past.database.query<{ n: number }>(
      "superuser",
      "select count(*)::int as n from pg_inherits where inhdetachpending",
    );
  await expect.poll(async () => (await pending())[0]?.n, { timeout: 20_000 }).toBe(1);
  // Half detached, and readers and writers go on: for them the month is gone.
  await past.bot.recordUserAction(action("new"));
  expect(await past.eventIds()).toEqual(["new"]);
  // The run is killed as it waits; the next one finishes what it began.
  await past.database.query(
    "superuser",
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'governance purge' and datname = current_database()",
  );
  expect((await running).reason).toBe("STORE_UNAVAILABLE");
  expect((await pending())[0]?.n).toBe(1);
  await reader.query("commit");
  const { run } = await past.operating.runPurge({});
  expect(run?.steps.filter(({ records }) => records > 0n)).toMatchObject([
    { table: "ledger.user_action", month: "2016-01", action: "DETACHED", records: 1n },
  ]);
  expect((await pending())[0]?.n).toBe(0);
  const runs = (await past.operating.listPurgeRuns({})).runs;
  expect(runs.map(({ endedAt }) => endedAt !== undefined)).toEqual([true, false]);
});

test("whoever begins to read the log in pieces while a month is just going is told to ask again", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old");
  past.comeBack();
  await past.eventIds();
  const mark = async () =>
    (
      await past.database.query<{ mark: string | null }>(
        "service",
        "select maintenance.rewrite_mark()::text as mark",
      )
    )[0]?.mark;
  expect(await mark()).toBe("0");
  await using clients = new AsyncDisposableStack();
  const other = clients.adopt(new pg.Client({ connectionString: past.database.url("admin") }), (it) =>
    it.end(),
  );
  await other.connect();
  await other.query("begin");
  await other.query("lock table ledger.user_action in share update exclusive mode");
  const running = past.operating.runPurge({});
  await expect.poll(mark, { timeout: 20_000 }).toBe(null);
  expect(await monthsOf(past.database, "ledger.user_action")).toContain("2016-01");
  await other.query("rollback");
  await running;
  const rows = await past.database.query<{ seq: string; what: string; kind: string }>(
    "service",
    "select seq::text, kind, what from maintenance.rewrite where month = '2016-01-01' and what like '%user_action' order by maintenance.rewrite.seq",
  );
  expect(rows.map(({ kind, what }) => [kind, what])).toEqual([
    ["purge", "detaching ledger.user_action"],
    ["purge", "ledger.user_action"],
  ]);
  const [last] = await past.database.query<{ seq: string }>(
    "service",
    "select max(seq)::text as seq from maintenance.rewrite",
  );
  expect(await mark()).toBe(last?.seq);
});
