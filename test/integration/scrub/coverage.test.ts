import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scrubbedTables } from "../../../src/ledger/scrub/tables.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";

const running = new AsyncDisposableStack();
let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  client = new pg.Client({ connectionString: database.url("superuser") });
  await client.connect();
  running.defer(() => client.end());
});
afterAll(() => running.disposeAsync());

/** A row for each closed account, each stream of a producer, each setting: few, however much is recorded. */
const fewRows = /^"ledger"\."(closed_wallet|closing|erasure|producer)"$|^"maintenance"\."\w+"$/;

test("every table that can grow with what is recorded has a way for the scrub to find a wallet's rows", async () => {
  const whole = (await scrubbedTables(client)).filter((table) => table.isReadWhole).map(({ name }) => name);
  expect(
    whole.filter((name) => !fewRows.test(name)),
    "give it a column `mentions`, or an index and a line in scrub/tables.ts",
  ).toEqual([]);
});

test("that way is an index, on every table and partition", async () => {
  await client.query("select maintenance.ensure_month(now())");
  await client.query("set enable_seqscan = off");
  for (const { name, finders, isReadWhole } of await scrubbedTables(client)) {
    if (isReadWhole) continue;
    for (const finder of finders) {
      const condition = finder
        .replaceAll("$1", `'${"ab".repeat(20)}'`)
        .replaceAll("$2", `'0x${"ab".repeat(20)}'`);
      const { rows } = await client.query<{ "QUERY PLAN": string }>(
        `explain select ctid from ${name} where ${condition}`,
      );
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      expect(plan, `${name} where ${condition}`).not.toContain("Seq Scan");
    }
  }
});

test("a new table with text in it is gone through without being named anywhere", async () => {
  await client.query("create table ledger.brand_new (n int, note text, more jsonb, list text[])");
  const found = (await scrubbedTables(client)).find(({ name }) => name === '"ledger"."brand_new"');
  expect(found?.columns).toEqual([
    { name: "note", kind: "text" },
    { name: "more", kind: "json" },
    { name: "list", kind: "texts" },
  ]);
  expect(found?.isReadWhole).toBe(true);
  await client.query("drop table ledger.brand_new");
});

test("the tables that it leaves out hold no text of an account", async () => {
  const { rows } = await client.query<{ name: string }>(
    `select distinct n.nspname || '.' || c.relname as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     join pg_type t on t.oid = a.atttypid
     where c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and t.typname in ('text', '_text', 'jsonb')
       and n.nspname !~ '^(pg_|information_schema)' order by 1`,
  );
  const gone = new Set((await scrubbedTables(client)).map(({ name }) => name.replaceAll('"', "")));
  const leftOut = rows.map(({ name }) => name).filter((name) => !gone.has(name));
  expect(leftOut.filter((name) => !name.startsWith("auditor."))).toEqual([
    "governance.migration",
    // Ids of records, which are random, and of replicas; names of receivers and of streams; counts.
    "log.alert_cursor",
    "log.alert_delivery",
    "log.bus_reports",
    "log.bus_source",
    "log.epoch",
    "log.recovery",
    "log.replica",
    "log.settled",
  ]);
});

test("ids that one row takes from another can be rewritten one after the other", async () => {
  const { rows } = await client.query(
    `select conname from pg_constraint where contype = 'f' and not condeferrable
       and connamespace::regnamespace::text in ('ledger', 'access', 'maintenance')`,
  );
  expect(rows).toEqual([]);
});
