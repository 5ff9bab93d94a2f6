import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { appendActions } from "../../../src/ledger/append.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { actionRow } from "./records.ts";

let database: TestDatabase;
let running: AsyncDisposableStack;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
});
afterEach(() => running.disposeAsync());

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: database.url("service"),
    // As the service's sessions have it: a plan is kept until Postgres says that it is out of date.
    options: "-c plan_cache_mode=force_generic_plan",
  });
  await client.connect();
  running.defer(() => client.end());
  return client;
}

const advance = (client: pg.Client) =>
  client.query<{ placed: number }>({ name: "advance", text: "select placed from log.advance(1000)" });

async function until(condition: string): Promise<void> {
  await expect
    .poll(() => database.query("superuser", `select ${condition} as is_so`))
    .toEqual([{ is_so: true }]);
}

const unplaced = `select a.event_id from ledger.user_action a where not exists (
  select from log.entry e where e.source = 'a' and (e.epoch, e.xid, e.ord) = (a.epoch, a.xid, a.ord))`;

test("the first record of a month has its position, though the month was made while the log planned how to read", async () => {
  const [writer, placer, maker] = [await connect(), await connect(), await connect()];
  const holder = new pg.Client({ connectionString: database.url("superuser") });
  await holder.connect();
  running.defer(() => holder.end());
  await database.query("service", "select maintenance.ensure_month('2026-05-01Z')");
  await appendActions(writer, [actionRow("of May")]);
  // The planner has looked which months of actions there are when it comes to the drifts, and waits there.
  await holder.query("begin; lock table auditor.config_drift_2026_05");
  const planned = advance(placer);
  await until(
    "exists (select from pg_locks where not granted and relation = 'auditor.config_drift_2026_05'::regclass)",
  );
  await maker.query("select maintenance.ensure_month('2026-06-01Z', '{ledger.user_action}')");
  await holder.query("commit");
  expect((await planned).rows).toEqual([{ placed: 1 }]);

  await appendActions(writer, [
    { ...actionRow("of June"), acceptedMicros: Date.parse("2026-06-09T10:00:00Z") * 1000 },
  ]);
  expect((await advance(placer)).rows).toEqual([{ placed: 1 }]);
  expect(await database.query("superuser", unplaced)).toEqual([]);
});

test("a window of which a record is out of sight is not taken, nor does an epoch begin, until it is back", async () => {
  const [writer, placer] = [await connect(), await connect()];
  await database.query("service", "select maintenance.ensure_month('2026-05-01Z')");
  await appendActions(writer, [actionRow("seen"), actionRow("also seen")]);
  await database.query(
    "superuser",
    "alter table ledger.user_action detach partition ledger.user_action_2026_05",
  );
  await expect(advance(placer)).rejects.toMatchObject({ code: "GV004" });
  await expect(database.query("superuser", "select log.begin_epoch(1, 'asked')")).rejects.toMatchObject({
    code: "GV004",
  });
  await database.query(
    "superuser",
    "alter table ledger.user_action attach partition ledger.user_action_2026_05 for values from ('2026-05-01Z') to ('2026-06-01Z')",
  );
  expect((await advance(placer)).rows).toEqual([{ placed: 2 }]);
});
