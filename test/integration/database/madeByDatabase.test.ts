import { decodeTime, isValid } from "ulid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { retainedUntilDay } from "../../../src/ledger/retention.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

test("a record that the database makes is kept until the day the service would say, every day of 13 years (R1)", async () => {
  const rows = await database.query<{ ms: string; until: number }>(
    "superuser",
    `select (extract(epoch from at) * 1000)::bigint::text as ms,
       maintenance.retained_until(at) - date '1970-01-01' as until
     from generate_series(timestamptz '2019-12-31T23:59:59.999Z', '2033-03-02Z', '12 hours') as at`,
  );
  expect(rows.length).toBeGreaterThan(9_000);
  const wrong = rows.filter(({ ms, until }) => until !== retainedUntilDay(Number(ms) * 1000, 2555));
  expect(wrong).toEqual([]);
});

test("its id is a ULID of its time, and no two are the same", async () => {
  const rows = await database.query<{ id: string }>(
    "superuser",
    "select maintenance.ulid('2026-05-09T10:00:00.1239Z') as id from generate_series(1, 5000)",
  );
  const ids = rows.map(({ id }) => id);
  expect(ids.filter((id) => !isValid(id))).toEqual([]);
  expect(new Set(ids.map((id) => decodeTime(id)))).toEqual(new Set([Date.parse("2026-05-09T10:00:00.123Z")]));
  expect(new Set(ids).size).toBe(ids.length);
  const used = new Set(ids.flatMap((id) => [...id.slice(10)]));
  expect(used.size, "every digit is drawn").toBe(32);
});
