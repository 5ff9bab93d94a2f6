import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appendDecisions } from "../../../src/auditor/append.ts";
import { appendActions } from "../../../src/ledger/append.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { actionRow, decisionRow } from "./records.ts";

let database: TestDatabase;
let running: AsyncDisposableStack;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
  await database.query("service", "select maintenance.ensure_month('2026-05-01Z')");
});
afterEach(() => running.disposeAsync());

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url("service") });
  await client.connect();
  running.defer(() => client.end());
  return client;
}

type Step = { head: string; horizon: string; placed: number };

async function advance(client: pg.Client, limit: number): Promise<Step> {
  const { rows } = await client.query<Step>("select head::text, horizon, placed from log.advance($1)", [
    limit,
  ]);
  if (rows[0] === undefined) throw new Error("no answer");
  return rows[0];
}

/** Every placed record behind a position, in the order of positions: what a tailing reader asks for. */
const tail = `
  select e.position::int as position, e.source, e.xid::text as xid, e.ord, coalesce(a.record_id, c.record_id) as record
  from log.entry e
  left join ledger.user_action a on e.source = 'a' and (a.epoch, a.xid, a.ord) = (e.epoch, e.xid, e.ord)
  left join auditor.parameter_change c on e.source = 'c' and (c.epoch, c.xid, c.ord) = (e.epoch, e.xid, e.ord)
  where e.position > $1 order by e.position`;

type Placed = { position: number; source: string; xid: string; ord: number; record: string };

async function readBehind(client: pg.Client, position: number): Promise<Placed[]> {
  return (await client.query<Placed>(tail, [position])).rows;
}

/** The same pseudo-random numbers in every run, in [0, 1). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What a writer knows of a transaction it saw committed: its records, and when it began and ended. */
type Committed = { readonly records: string[]; readonly beganMs: number; readonly endedMs: number };

/** Writes transactions that overlap, are held open, use savepoints, and are often rolled back. */
async function writeAtRandom(name: string, seed: number, transactions: number): Promise<Committed[]> {
  const client = await connect();
  const random = randomFrom(seed);
  const committed: Committed[] = [];
  let records = 0;

  async function append(): Promise<string[]> {
    const names = Array.from({ length: 1 + Math.floor(random() * 3) }, () => `${name}.${records++}`);
    if (random() < 0.5) await appendActions(client, names.map(actionRow));
    else await appendDecisions(client, names.map(decisionRow));
    return names;
  }

  for (let i = 0; i < transactions; i++) {
    const beganMs = performance.now();
    const kept: string[] = [];
    await client.query("begin");
    if (random() < 0.3) await client.query("select pg_current_xact_id()"); // Its id is older than its rows.
    if (random() < 0.3) await sleep(random() * 15);
    if (random() < 0.4) {
      await client.query("savepoint s");
      await append();
      await client.query("rollback to savepoint s");
    }
    if (random() < 0.4) {
      await client.query("savepoint t");
      kept.push(...(await append()));
      await client.query("release savepoint t");
    } else {
      kept.push(...(await append()));
    }
    if (random() < 0.3) await sleep(random() * 25);
    if (random() < 0.25) {
      await client.query("rollback");
    } else {
      await client.query("commit");
      committed.push({ records: kept, beganMs, endedMs: performance.now() });
    }
  }
  return committed;
}

test("overlapping transactions of both bots, two placing at once: no gap, no repeat, nothing skipped, in order", async () => {
  const stop = new AbortController();
  const seen: Placed[] = [];
  const advancing = [3, 7].map(async (limit) => {
    const client = await connect();
    while (!stop.signal.aborted) await advance(client, limit);
  });
  const reader = await connect();
  const reading = (async () => {
    while (!stop.signal.aborted) seen.push(...(await readBehind(reader, seen.at(-1)?.position ?? 0)));
  })();

  const writers = Array.from({ length: 6 }, (_, n) => writeAtRandom(`w${n}`, n + 1, 40));
  const committed = (await Promise.all(writers)).flat();
  stop.abort();
  await Promise.all([...advancing, reading]);
  while ((await advance(reader, 5)).placed > 0);
  seen.push(...(await readBehind(reader, seen.at(-1)?.position ?? 0)));

  expect(
    seen.map((entry) => entry.position),
    "gap-free, as a reader sees them",
  ).toEqual(Array.from({ length: seen.length }, (_, i) => i + 1));
  const records = committed.flatMap((transaction) => transaction.records);
  expect(seen.map((entry) => entry.record).toSorted(), "what was committed, each once").toEqual(
    records.toSorted(),
  );
  expect(new Set(seen.map((entry) => entry.source))).toEqual(new Set(["a", "c"]));

  const positionOf = new Map(seen.map((entry) => [entry.record, entry.position]));
  const positions = ({ records: own }: Committed) => own.map((record) => positionOf.get(record) ?? 0);
  for (const transaction of committed) {
    const own = positions(transaction);
    expect(own, "a transaction's records stand together, in their order").toEqual(
      own.map((_, i) => (own[0] ?? 0) + i),
    );
  }
  for (const earlier of committed) {
    for (const later of committed) {
      if (earlier.endedMs >= later.beganMs) continue;
      expect(Math.max(...positions(earlier))).toBeLessThan(Math.min(...positions(later)));
    }
  }
});

test("nothing behind an open transaction is placed before it ends, and then both are, in order", async () => {
  const [held, writer, placer] = [await connect(), await connect(), await connect()];
  await held.query("begin");
  await appendActions(held, [actionRow("held")]);
  await appendActions(writer, [actionRow("quick")]);
  expect(await advance(placer, 100)).toMatchObject({ placed: 0, head: "0" });
  await held.query("commit");
  expect(await advance(placer, 100)).toMatchObject({ placed: 2, head: "2" });
  expect((await readBehind(placer, 0)).map((entry) => entry.record)).toEqual(["held", "quick"]);
});

test("a transaction that was rolled back leaves no gap, and does not hold the log up", async () => {
  const [aborted, writer, placer] = [await connect(), await connect(), await connect()];
  await aborted.query("begin");
  await appendDecisions(aborted, [decisionRow("aborted")]);
  await appendActions(writer, [actionRow("first")]);
  await aborted.query("rollback");
  await appendActions(writer, [actionRow("second")]);
  await advance(placer, 100);
  expect((await readBehind(placer, 0)).map(({ position, record }) => [position, record])).toEqual([
    [1, "first"],
    [2, "second"],
  ]);
});

test("a step ends between transactions, however few records it may place", async () => {
  const client = await connect();
  await appendActions(client, ["a1", "a2", "a3"].map(actionRow));
  await appendDecisions(client, ["b1", "b2"].map(decisionRow));
  await appendActions(client, ["c1"].map(actionRow));
  const steps = [
    await advance(client, 1),
    await advance(client, 1),
    await advance(client, 1),
    await advance(client, 1),
  ];
  expect(steps.map((step) => [step.placed, step.head])).toEqual([
    [3, "3"],
    [2, "5"],
    [1, "6"],
    [0, "6"],
  ]);
  expect(steps.map((step) => BigInt(step.horizon))).toEqual(
    steps.map((step) => BigInt(step.horizon)).toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test("a step that was undone is taken again with the same result", async () => {
  const [client, placer] = [await connect(), await connect()];
  await appendActions(client, ["a", "b"].map(actionRow));
  await placer.query("begin");
  await advance(placer, 100);
  const undone = await readBehind(placer, 0);
  await placer.query("rollback");
  expect(await readBehind(placer, 0)).toEqual([]);
  await advance(placer, 100);
  expect(await readBehind(placer, 0)).toEqual(undone);
});

test("two who place at the same moment take turns", async () => {
  const [client, one, other] = [await connect(), await connect(), await connect()];
  await appendActions(client, ["a", "b"].map(actionRow));
  await one.query("begin");
  expect((await advance(one, 100)).placed).toBe(2);
  const waiting = advance(other, 100);
  await appendActions(client, [actionRow("c")]);
  await one.query("commit");
  await waiting;
  while ((await advance(other, 100)).placed > 0);
  expect((await readBehind(other, 0)).map(({ position, record }) => [position, record])).toEqual([
    [1, "a"],
    [2, "b"],
    [3, "c"],
  ]);
});

test.each([
  ["another cluster", "system_identifier = 1"],
  ["another table of the same cluster", "table_id = 1"],
  ["a cluster whose transactions had come further", "horizon = '9000000000000000'"],
])("a log that belongs to %s is not continued", async (_, difference) => {
  await database.query("superuser", `update log.state set ${difference}`);
  await expect(advance(await connect(), 100)).rejects.toMatchObject({ code: "GV001" });
});

async function until(condition: string): Promise<void> {
  await expect
    .poll(() => database.query("superuser", `select ${condition} as is_so`))
    .toEqual([{ is_so: true }]);
}

const unplaced = `select a.event_id from ledger.user_action a where not exists (
  select from log.entry e where e.source = 'a' and (e.epoch, e.xid, e.ord) = (a.epoch, a.xid, a.ord))`;

test("the first record of a month has its position, though the month was made while the log planned how to read", async () => {
  const [writer, placer, maker] = [await connect(), await connect(), await connect()];
  // As the service's sessions have it: a plan is kept until Postgres says that it is out of date.
  await placer.query("set plan_cache_mode = force_generic_plan");
  const holder = new pg.Client({ connectionString: database.url("superuser") });
  await holder.connect();
  running.defer(() => holder.end());
  await appendActions(writer, [actionRow("of May")]);
  // The planner has looked which months of actions there are when it comes to the drifts, and waits there.
  await holder.query("begin; lock table auditor.config_drift_2026_05");
  const planned = advance(placer, 100);
  await until(
    "exists (select from pg_locks where not granted and relation = 'auditor.config_drift_2026_05'::regclass)",
  );
  await maker.query("select maintenance.ensure_month('2026-06-01Z', '{ledger.user_action}')");
  await holder.query("commit");
  expect(await planned).toMatchObject({ placed: 1 });

  await appendActions(writer, [
    { ...actionRow("of June"), acceptedMicros: Date.parse("2026-06-09T10:00:00Z") * 1000 },
  ]);
  expect(await advance(placer, 100)).toMatchObject({ placed: 1 });
  expect(await database.query("superuser", unplaced)).toEqual([]);
});

test("a window of which a record is out of sight is not taken, nor does an epoch begin, until it is back", async () => {
  const [writer, placer] = [await connect(), await connect()];
  await appendActions(writer, [actionRow("seen"), actionRow("also seen")]);
  await database.query(
    "superuser",
    "alter table ledger.user_action detach partition ledger.user_action_2026_05",
  );
  await expect(advance(placer, 100)).rejects.toMatchObject({ code: "GV004" });
  await expect(database.query("superuser", "select log.begin_epoch(1, 'asked')")).rejects.toMatchObject({
    code: "GV004",
  });
  await database.query(
    "superuser",
    "alter table ledger.user_action attach partition ledger.user_action_2026_05 for values from ('2026-05-01Z') to ('2026-06-01Z')",
  );
  expect(await advance(placer, 100)).toMatchObject({ placed: 2 });
});

test("what follows from records is not looked for while a month is being attached, and nobody waits for it to attach one", async () => {
  const [writer, placer, maker] = [await connect(), await connect(), await connect()];
  const make = (month: string) => maker.query("select maintenance.ensure_month($1::timestamptz)", [month]);
  const follow = () => placer.query("select from log.follow(100, (select horizon from log.state), now())");
  await appendActions(writer, [actionRow("first")]);
  await advance(placer, 100);
  await maker.query("begin");
  await make("2026-06-01Z");
  const following = follow();
  await until("exists (select from pg_locks where not granted and locktype = 'advisory')");
  await maker.query("commit");
  await following;

  await appendActions(writer, [actionRow("second")]);
  await advance(placer, 100);
  await placer.query("begin");
  await follow();
  await make("2026-07-01Z");
  await placer.query("commit");
});
