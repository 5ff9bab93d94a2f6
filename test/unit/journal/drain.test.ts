import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { createJournal, type Journal } from "../../../src/journal/journal.ts";
import { heldIn } from "../../../src/journal/spool/look.ts";
import { openSpool, type Spool } from "../../../src/journal/spool/spool.ts";
import { type Buffered, entriesOf, hasMembers, type Spooling } from "../../../src/journal/spooled.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { ledger, open, temporaryFolder } from "../spool/folders.ts";

type Note = { readonly key: string; readonly n: number };

const running = new AsyncDisposableStack();
const log = pino({ level: "silent" });
let database: TestDatabase;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  await database.query(
    "superuser",
    `create table note (nth serial, key text, n int, unique (key, n));
     create sequence tries;
     grant select, insert on note to governance_service;
     grant usage on sequence tries, note_nth_seq to governance_service;
     create function check_note() returns trigger language plpgsql as $$ begin
       if new.n = 13 then raise exception 'not this one' using errcode = '22000'; end if;
       if new.n = 40 and nextval('tries') < 8 then
         raise exception 'lost a race' using errcode = '40001';
       end if;
       return new;
     end $$;
     create trigger check_note before insert on note for each row execute function check_note()`,
  );
});
afterAll(() => running.disposeAsync());

function spoolingTo(spool: Spool): Spooling<Note, string> {
  return {
    spool,
    bot: ledger,
    orderKey: ({ key }) => key,
    acceptedMicros: () => 1,
    restore: (spooled) => (hasMembers<Note>(spooled, ["key", "n"]) ? spooled : undefined),
    settle: () => ({ as: "flushed" }),
  };
}

function openJournal(spool: Spool): Journal<Note, string> {
  return createJournal<Note, string>({
    connection: { connectionString: database.url("service") },
    of: {
      name: "notes",
      tables: [],
      acceptedMicros: () => 0,
      async write(client, rows) {
        await client.query(
          `insert into note (key, n) select * from unnest($1::text[], $2::int[]) on conflict do nothing`,
          [rows.map((row) => row.key), rows.map((row) => row.n)],
        );
        return rows.map((row) => `${row.key}${row.n}`);
      },
    },
    spooling: spoolingTo(spool),
    lanes: 1,
    maxRows: 50,
    budgetMs: 2_000,
    onBatch: () => undefined,
    log,
  });
}

async function stored(key: string): Promise<number[]> {
  const rows = await database.query<{ n: number }>(
    "superuser",
    "select n from note where key = $1 order by nth",
    [key],
  );
  return rows.map(({ n }) => n);
}

/** Spools the notes as an earlier run did, drains them, and tells what of them stays, and why. */
async function drain(
  entries: readonly unknown[],
): Promise<{ answers: readonly (string | Buffered)[]; left: string[] }> {
  using folder = temporaryFolder();
  let answers: readonly (string | Buffered)[];
  {
    await using spool = await openSpool({ folder: folder.path, maxBytes: 1e6, clock: systemClock(), log });
    const rows = entries.map((entry) => entry as Note);
    await spool.append(entriesOf("notes", spoolingTo(spool), rows));
    const journal = openJournal(spool);
    const key = rows[0]?.key ?? "";
    answers = await journal.append(key, [{ key, n: 99 }]);
    await expect.poll(() => spool.state(ledger).records, { timeout: 30_000 }).toBe(0);
    await journal.close();
  }
  using file = open(folder.path);
  expect(heldIn(file.db).every((held) => held.entries === 0)).toBe(true);
  const left = file.db.prepare("select body, refused from entry order by seq").all();
  return { answers, left: left.map(({ body, refused }) => `${refused}: ${body}`) };
}

const notes = (key: string, numbers: readonly number[]): Note[] => numbers.map((n) => ({ key, n }));

test("a spooled record that is refused for what it is stays; its neighbours drain in their order, and what follows them waits", async () => {
  const { answers, left } = await drain(notes("refused", [1, 2, 3, 13, 4, 5, 6, 7]));
  expect(answers).toEqual([{ kind: "buffered" }]);
  expect(await stored("refused")).toEqual([1, 2, 3, 4, 5, 6, 7, 99]);
  expect(left).toEqual(['22000: {"key":"refused","n":13}']);
});

test("a race that is lost again and again is no refusal", async () => {
  const { left } = await drain(notes("race", [1, 40, 2]));
  expect(await stored("race")).toEqual([1, 40, 2, 99]);
  expect(left).toEqual([]);
});

test("a body that is none of this version's stays too, and holds up nobody", async () => {
  const { left } = await drain([{ key: "strange", n: 1 }, { key: "strange" }, { key: "strange", n: 2 }]);
  expect(await stored("strange")).toEqual([1, 2, 99]);
  expect(left).toEqual(['unreadable: {"key":"strange"}']);
});

test("what is in the database already, because the answer to its commit was lost, comes once", async () => {
  await database.query("superuser", "insert into note (key, n) values ('again', 1), ('again', 2)");
  const { left } = await drain(notes("again", [1, 2, 3]));
  expect([await stored("again"), left]).toEqual([[1, 2, 3, 99], []]);
});

test("while others write, fewer are drained at a time, and all come in their order", async () => {
  using folder = temporaryFolder();
  await using spool = await openSpool({ folder: folder.path, maxBytes: 1e6, clock: systemClock(), log });
  const numbers = Array.from({ length: 3_000 }, (_, i) => 100 + i);
  await spool.append(entriesOf("notes", spoolingTo(spool), notes("many", numbers)));
  const limits: number[] = [];
  const watched: Spool = Object.create(spool, {
    take: {
      value(...asked: Parameters<Spool["take"]>) {
        limits.push(asked[1]);
        return spool.take(...asked);
      },
    },
  });
  const journal = openJournal(watched);
  let isOver = false;
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 100; !isOver; n++) await journal.append("", [{ key: `writer ${writer}`, n }]);
  });
  await expect.poll(() => spool.state(ledger).records, { timeout: 30_000 }).toBe(0);
  isOver = true;
  await Promise.all(writers);
  await journal.close();
  expect(await stored("many")).toEqual(numbers);
  expect(Math.min(...limits)).toBeLessThan(Math.max(...limits));
});
