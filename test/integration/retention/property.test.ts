import fc from "fast-check";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRecordIds } from "../../../src/recordIds.ts";
import { connectAdministrator } from "../../../src/retention/administrator.ts";
import { createPurge } from "../../../src/retention/purge.ts";
import { stoppedClock } from "../../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";

const dayMs = 86_400_000;
const now = Date.now();
const today = Math.floor(now / dayMs);

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url("superuser") });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database[Symbol.asyncDispose]();
});

const log = pino({ level: "silent" });
const clock = stoppedClock(new Date(now).toISOString());
const purge = createPurge({
  connect: () => connectAdministrator({ connectionString: database.url("admin") }, log),
  catchUp: () => client.query("select log.advance(10000), log.follow(10000, '0', now())"),
  clock,
  recordId: createRecordIds(clock),
  log,
});

/** Days back from today: any time, and around the edges where one day decides. */
const age = fc.oneof(
  fc.integer({ min: 0, max: 6000 }),
  fc
    .record({ edge: fc.constantFrom(2555, 2556, 2557, 3000), off: fc.integer({ min: -3, max: 3 }) })
    .map(({ edge, off }) => edge + off),
);
const record = fc.record({
  age,
  promise: fc.constantFrom(1, 30, 2555, 3000, 5000),
  session: fc.constantFrom("a", "b", "c"),
});
const setting = fc.record({ days: fc.constantFrom(1, 30, 1825, 2555, 2557, 3000, 4000), age });
const scenario = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 12 }),
  settings: fc.array(setting, { maxLength: 4 }),
  held: fc.subarray(["a", "b"]),
  runs: fc.integer({ min: 1, max: 2 }),
});

/** The words of R1, on dates as texts: retain_days later, and the same date seven years on. */
function keptUntil(acceptedDay: number, days: number): number {
  const text = new Date(acceptedDay * dayMs).toISOString();
  const year = Number(text.slice(0, 4)) + 7;
  const leap = year % 4 === 0; // No century without a leap day is near.
  const date = text.slice(5, 10) === "02-29" && !leap ? `${year}-03-01` : `${year}${text.slice(4, 10)}`;
  return Math.max(acceptedDay + Math.max(days, 2555), Date.parse(`${date}T00:00:00Z`) / dayMs);
}

let round = 0;

test("whatever was configured and held, no record goes before 2555 days, its promise or a raise allow; and expired months do go", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ records, settings, held, runs }) => {
      const id = ++round;
      await reset();
      const notes = settings.toSorted((a, b) => b.age - a.age);
      for (const { days, age: back } of notes) {
        await client.query("select maintenance.note_retain_days('gov.useractivityledger', $1, $2)", [
          days,
          at(back),
        ]);
      }
      for (const session of held) {
        await client.query(
          `select maintenance.place_hold($1, 'a', null, null, $2, null, null, null, null, null, null, 'r', 't', now())`,
          [`${id} ${session}`, `${id} ${session}`],
        );
      }
      for (const [n, one] of records.entries())
        await insert(`${id}_${n}`, one.age, one.promise, `${id} ${one.session}`);
      for (let run = 0; run < runs; run++) await purge.run({ startedBy: "test", isDry: false });

      const { rows } = await client.query<{ event_id: string }>("select event_id from ledger.user_action");
      const left = new Set(rows.map((row) => row.event_id));
      const kept = records.map((one) => {
        const accepted = today - one.age;
        const raised = notes.filter((_, i) => (notes[i + 1]?.age ?? -1) <= one.age).map(({ days }) => days);
        return Math.max(...[one.promise, ...raised].map((days) => keptUntil(accepted, days)));
      });
      const isHeld = (n: number) => held.some((session) => session === records[n]?.session);
      for (const [n, one] of records.entries()) {
        const expired = (kept[n] ?? 0) < today;
        const month = at(one.age).slice(0, 7);
        const wholeMonth = records.every(
          (other, i) => at(other.age).slice(0, 7) !== month || (kept[i] ?? 0) < today,
        );
        const expectsStay = !expired || isHeld(n) || !wholeMonth;
        expect(left.has(`${id}_${n}`), `record ${n}, ${one.age} days old`).toBe(expectsStay);
        if (!left.has(`${id}_${n}`)) expect(one.age).toBeGreaterThan(2555);
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);

/** Noon of that many days ago: the date is the same whatever the second at which the test began. */
function at(daysBack: number): string {
  return new Date((today - daysBack) * dayMs + dayMs / 2).toISOString();
}

/** Each scenario begins with no settings and no records of another one. */
async function reset(): Promise<void> {
  await client.query("begin");
  await client.query("set local role governance_owner");
  await client.query("set local governance.maintenance = 'on'");
  await client.query("delete from maintenance.retain_days");
  await client.query("delete from ledger.user_action");
  await client.query("commit");
}

async function insert(eventId: string, daysBack: number, promise: number, session: string): Promise<void> {
  await client.query("select maintenance.ensure_month($1, array['ledger.user_action'])", [at(daysBack)]);
  await client.query(
    `insert into ledger.user_action (accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id, action_type, recorded_by)
     values ($1, 1, 0, date '1970-01-01' + $2::int, $3, $3, '0x', $4, 'HALT', 't')`,
    [at(daysBack), keptUntil(today - daysBack, promise), eventId, session],
  );
}
