import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { SpoolRefused, StoreUnavailable } from "../../../src/journal/commit.ts";
import { createJournal, type Journal } from "../../../src/journal/journal.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";

type Note = { readonly key: string; readonly n: number };
type NoteJournal = Journal<Note, string>;

const running = new AsyncDisposableStack();
let database: TestDatabase;
let proxy: DatabaseProxy;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  await database.query(
    "superuser",
    `create table note (nth serial, key text, n int, xid xid8 default pg_current_xact_id());
     create sequence tries;
     grant select, insert on note to governance_service;
     grant usage on sequence tries, note_nth_seq to governance_service;
     create function conflict_once() returns void language plpgsql as $$ begin
       if nextval('tries') = 1 then raise exception 'lost a race' using errcode = '40001'; end if;
     end $$`,
  );
});
afterAll(() => running.disposeAsync());
afterEach(() => {
  proxy.mend();
  proxy.thaw();
});

const budgetMs = 300;
/** The number of a note that stands for 100 MiB. */
const huge = 4711;

/** A journal of notes in a real table. `before` is SQL that each batch runs first. */
function openJournal(before = "select 1"): NoteJournal & AsyncDisposable {
  const journal = createJournal<Note, string>({
    connection: { connectionString: proxy.through(database.url("service")) },
    of: {
      name: "notes",
      tables: [],
      acceptedMicros: () => 0,
      bytesOf: ({ n }) => (n === huge ? 100 * 1024 * 1024 : 0),
      async write(client, rows) {
        const { rows: stored } = await client.query<{ outcome: string }>(
          `with first as materialized (${before}), stored as (
           insert into note (key, n) select i.key, i.n from first, unnest($1::text[], $2::int[]) as i (key, n)
           returning key, n, nth)
         select key || n as outcome from stored order by nth`,
          [rows.map((row) => row.key), rows.map((row) => row.n)],
        );
        return stored.map((row) => row.outcome);
      },
    },
    lanes: 2,
    maxRows: 50,
    budgetMs,
    onBatch: () => undefined,
    log: pino({ level: "silent" }),
  });
  return Object.assign(journal, { [Symbol.asyncDispose]: () => journal.close() });
}

async function storedNotes(key: string): Promise<{ n: number; xid: string }[]> {
  return database.query("superuser", "select n, xid::text as xid from note where key = $1 order by nth", [
    key,
  ]);
}

test("rows of one key are stored in the order of their calls, each answered for itself", async () => {
  await using journal = openJournal();
  const keys = ["order_a", "order_b", "order_c", "order_d"];
  const answers = Array.from({ length: 200 }, (_, n) => {
    const key = keys[n % keys.length] ?? "";
    return journal.append(key, [
      { key, n },
      { key, n: n + 1000 },
    ]);
  });
  for (const [n, answer] of (await Promise.all(answers)).entries()) {
    expect(answer).toEqual([`${keys[n % 4]}${n}`, `${keys[n % 4]}${n + 1000}`]);
  }
  for (const [at, key] of keys.entries()) {
    const expected = Array.from({ length: 50 }, (_, i) => [at + 4 * i, at + 4 * i + 1000]).flat();
    expect((await storedNotes(key)).map((note) => note.n)).toEqual(expected);
  }
});

test("a crowd shares commits, and no append is split over two", async () => {
  await using journal = openJournal();
  const appends = Array.from({ length: 120 }, (_, n) => {
    const rows = [n, n, n].map((each) => ({ key: "crowd", n: each }));
    return journal.append("crowd", rows);
  });
  await Promise.all(appends);
  const stored = await storedNotes("crowd");
  const batches = [...Map.groupBy(stored, (note) => note.xid).values()];
  expect(stored).toHaveLength(360);
  expect(batches.length).toBeLessThan(30);
  for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(50);
  for (const appended of Map.groupBy(stored, (note) => note.n).values()) {
    expect(new Set(appended.map((note) => note.xid)).size).toBe(1);
  }
});

test("what the database refuses fails as it is, and only for those who sent it with it", async () => {
  await using journal = openJournal("select 1 / (case when 13 = any($2::int[]) then 0 else 1 end)");
  await expect(journal.append("bad", [{ key: "bad", n: 13 }])).rejects.toMatchObject({ code: "22012" });
  expect(await journal.append("bad", [{ key: "bad", n: 14 }])).toEqual(["bad14"]);
});

test("more bytes than memory is meant for do not wait: they are refused, and room is given back", async () => {
  await using journal = openJournal();
  const append = () => journal.append("huge", [{ key: "huge", n: huge }]);
  const answers = await Promise.allSettled([append(), append(), append()]);
  expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
  expect(answers[2]).toMatchObject({ reason: expect.any(SpoolRefused) });
  expect(await append()).toEqual([`huge${huge}`]);
});

test("a lost race is run again before anybody hears of it", async () => {
  await using journal = openJournal("select conflict_once()");
  expect(await journal.append("race", [{ key: "race", n: 1 }])).toEqual(["race1"]);
  expect(await storedNotes("race")).toHaveLength(1);
});

/** How long an append took to fail, and that it failed for want of a store. */
async function msUntilUnavailable(journal: NoteJournal, key: string): Promise<number> {
  const startedMs = performance.now();
  await expect(journal.append(key, [{ key, n: 1 }])).rejects.toBeInstanceOf(StoreUnavailable);
  return performance.now() - startedMs;
}

/** Appends until one is stored. */
async function untilStored(journal: NoteJournal, key: string): Promise<void> {
  for (;;) {
    const stored = await journal.append(key, [{ key, n: 2 }]).catch((cause: unknown) => {
      if (!(cause instanceof StoreUnavailable)) throw cause;
    });
    if (stored !== undefined) return;
    await sleep(10);
  }
}

test.each<[string, () => void]>([
  ["is cut off", () => proxy.cut()],
  ["is there and says nothing", () => proxy.freeze()],
])(
  "while the database %s, an append fails within the budget; afterwards all is as before",
  async (how, breakIt) => {
    await using journal = openJournal();
    await journal.append(how, [{ key: how, n: 0 }]);
    breakIt();
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await msUntilUnavailable(journal, how)).toBeLessThan(budgetMs + 500);
    }
    expect(journal.depth).toBe(0);
    proxy.mend();
    proxy.thaw();
    await untilStored(journal, how);
  },
);

test("a journal that never had a connection gets one when the database comes", async () => {
  proxy.cut();
  await using journal = openJournal();
  await msUntilUnavailable(journal, "late");
  proxy.mend();
  await untilStored(journal, "late");
});

test("rows that were held up beyond the budget are given up, and those behind them stored", async () => {
  await using journal = openJournal();
  await journal.append("held", [{ key: "held", n: 0 }]);
  const locker = new pg.Client({ connectionString: database.url("superuser") });
  await locker.connect();
  await locker.query("begin; lock table note in access exclusive mode");
  const tookMs = await msUntilUnavailable(journal, "held");
  expect(tookMs).toBeGreaterThan(budgetMs - 50);
  expect(tookMs).toBeLessThan(budgetMs + 500);
  await locker.query("rollback");
  await locker.end();
  await untilStored(journal, "held");
  const numbers = (await storedNotes("held")).map((note) => note.n);
  expect([numbers.at(0), numbers.at(-1)]).toEqual([0, 2]);
});

test("closing waits for everything that was taken", async () => {
  const journal = openJournal();
  const answers = Array.from({ length: 100 }, (_, n) => journal.append("closing", [{ key: "closing", n }]));
  await journal.close();
  expect(await Promise.all(answers)).toHaveLength(100);
  expect(await storedNotes("closing")).toHaveLength(100);
});
