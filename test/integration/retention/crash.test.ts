import pg from "pg";
import { pino } from "pino";
import { expect, test } from "vitest";
import { RecordKind } from "../../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { createRecordIds } from "../../../src/recordIds.ts";
import { connectAdministrator } from "../../../src/retention/administrator.ts";
import { createPurge } from "../../../src/retention/purge.ts";
import type { Run } from "../../../src/retention/runs.ts";
import { stoppedClock } from "../../support/clock.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { refusalOf } from "../../support/refusal.ts";
import { action, otherWallet, wallet } from "../ledger/actions.ts";
import { makeOlder, startPast } from "./past.ts";

/** A database to break a run on: how to reach it as a role. */
type Target = { readonly admin: string; readonly superuser: string };

/** Called with the connection of a run before each of its statements. */
type Watch = (client: pg.Client, text: string, nth: number) => Promise<void>;

async function runOn(target: Target, watch: Watch): Promise<Run | undefined> {
  const log = pino({ level: "silent" });
  const clock = stoppedClock(new Date().toISOString());
  async function connect(): Promise<pg.Client> {
    const client = await connectAdministrator({ connectionString: target.admin }, log);
    const query = client.query.bind(client);
    let nth = 0;
    client.query = async (...args: unknown[]) => {
      await watch(client, String(args[0]), ++nth);
      return Reflect.apply(query, client, args);
    };
    return client;
  }
  const recordId = createRecordIds(clock);
  await using purge = createPurge({ connect, catchUp: async () => undefined, clock, recordId, log });
  return await purge.run({ startedBy: "test", isDry: false });
}

async function superuserQuery(
  target: Target,
  text: string,
  values: unknown[] = [],
): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString: target.superuser });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

const purgeSessions =
  "from pg_stat_activity where datname = current_database() and application_name = 'governance purge'";

/** Runs the purge to its nth statement, and breaks its connection there. */
async function breakAt(target: Target, nth: number, how: "terminated" | "gone"): Promise<void> {
  const broken = runOn(target, async (client, _, current) => {
    if (current !== nth) return;
    if (how === "terminated") {
      // The server ends the session, as when Postgres restarts, before the statement.
      await superuserQuery(target, `select pg_terminate_backend(pid) ${purgeSessions}`);
    } else {
      // The process is gone at once, as after kill -9: what it has just sent is still carried out, unheard.
      setImmediate(() => client.connection.stream.destroy());
    }
  });
  await expect(broken).rejects.toThrow();
  // The lock goes with the session, once the server knows that nobody is there.
  await expect.poll(async () => superuserQuery(target, `select pid ${purgeSessions}`)).toEqual([]);
}

/** Months that nobody wrote into only make the runs longer. */
async function dropEmptyMonths(database: TestDatabase): Promise<void> {
  const rows = await database.query<{ name: string }>(
    "superuser",
    `select inhrelid::regclass::text as name from pg_inherits
     where inhrelid in (select oid from pg_class where relkind = 'r' and relname ~ '_20(15|16|20)_') and inhparent <> 'ledger.user_action'::regclass`,
  );
  await database.query("superuser", rows.map(({ name }) => `drop table ${name}`).join(";"));
}

/** A ledger with a month that goes, one of which some is held, one that stays, and a detached one that is due. */
async function fill(database: TestDatabase): Promise<void> {
  await using past = await startPast({ database, at: "2020-05-10T12:00:00Z" });
  await past.act("2015-06-10T12:00:00Z", "dropped", { wallet: otherWallet });
  await dropEmptyMonths(database);
  past.comeBack();
  await past.operating.runPurge({});
  await makeOlder(database, "maintenance.detached_partition", "detached_at", "8 days");
  await past.act("2016-01-10T12:00:00Z", "goes", { wallet: otherWallet });
  await past.act("2016-02-10T12:00:00Z", "held");
  await past.act("2016-02-10T12:00:00Z", "beside it", { wallet: otherWallet });
  await refusalOf(past.bot.recordUserAction(action("held", { wallet: otherWallet })));
  await past.act(new Date(Date.now() - 86_400_000).toISOString(), "stays", { wallet: otherWallet });
  await dropEmptyMonths(database);
  const scope = { kind: RecordKind.USER_ACTIVITY, wallet };
  await past.retention.placeLegalHold({ holdId: "h", scope, reason: "r" });
  past.comeBack();
  await past.eventIds();
}

/** The end that every run has to come to. */
async function endOf(target: Target): Promise<unknown> {
  const ask = (text: string) => superuserQuery(target, text);
  return {
    actions: await ask(
      "select event_id, xid::text, ord, tableoid::regclass::text from ledger.user_action order by xid, ord",
    ),
    conflicts: await ask("select event_id from ledger.conflict"),
    partitions: await ask(
      `select inhrelid::regclass::text as name, inhdetachpending from pg_inherits
       where inhparent in (select oid from pg_class where relkind = 'p') order by 1`,
    ),
    detached: await ask(
      `select d.table_name, d.month::text, d.records::int, p.outcome, to_regclass('purged.' || d.name) is not null as there
       from maintenance.detached_partition d left join maintenance.dropped_partition p using (name) order by 1, 2`,
    ),
    steps: await ask(
      `select table_name, month::text, action, records::int, held_records::int, retained_until::text
       from maintenance.purge_step where action <> 'KEPT' order by 1, 2, 3`,
    ),
    adrift: await ask(
      `select c.oid::regclass::text as name from pg_class c where relkind = 'r' and not relispartition
         and (relnamespace = 'purged'::regnamespace and relname not in (select name from maintenance.detached_partition)
           or relnamespace::regnamespace::text in ('ledger', 'auditor', 'access') and relname ~ '_[0-9]{4}_[0-9]{2}')`,
    ),
  };
}

test("broken off at any statement that changes something, it goes on with the next run and ends the same", async () => {
  await using filled = await createTestDatabase();
  await using beside = await createTestDatabase();
  await fill(filled);
  let copies = 0;
  async function copy(): Promise<Target & AsyncDisposable> {
    const name = `${filled.name}_${++copies}`;
    await beside.query("superuser", `create database ${name} template ${filled.name} owner governance_admin`);
    const url = (role: "admin" | "superuser") => filled.url(role).replace(/[^/]+$/, name);
    return {
      admin: url("admin"),
      superuser: url("superuser"),
      async [Symbol.asyncDispose]() {
        await beside.query("superuser", `drop database ${name} with (force)`);
      },
    };
  }

  const changing: number[] = [];
  await using unbroken = await copy();
  await runOn(unbroken, async (_, text, nth) => {
    if (!/^\s*(select|set)\b/i.test(text) || /note_rewrite/.test(text)) changing.push(nth);
  });
  const end = await endOf(unbroken);
  expect(end).toMatchObject({
    actions: [{ event_id: "held", tableoid: "ledger.user_action_2016_02" }, { event_id: "stays" }],
    conflicts: [],
    adrift: [],
  });

  expect(changing.length).toBeGreaterThan(30);
  for (const nth of changing) {
    const how = nth % 2 === 0 ? "terminated" : "gone";
    await using target = await copy();
    await breakAt(target, nth, how);
    await runOn(target, async () => undefined);
    expect(await endOf(target), `${how} at statement ${nth}`).toEqual(end);
  }
}, 180_000);
