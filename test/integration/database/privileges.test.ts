import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import type { TestDatabase } from "../../support/database.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action, otherWallet } from "../ledger/actions.ts";

const running = new AsyncDisposableStack();
let database: TestDatabase;
beforeAll(async () => {
  const service = running.use(await startTestService());
  ({ database } = service);
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("evt"));
  await refusalOf(bot.recordUserAction(action("evt", { wallet: otherWallet })));
  await bot.recordUserAction(action("evt_2", { sessionId: "with a gap", sessionSeq: 2n }));
  await (await auditorAs(service, "config-store")).checkWrite(write("p", { writeId: "w" }));
  await (await ledgerAs(service, "compliance")).listUserActions({});
});
afterAll(() => running.disposeAsync());

/** A table, and its first column that could be written at all. */
type Table = { name: string; isPartition: boolean; rows: number; column: string };

/** Every table of the service's schemas, partitions too, as the database lists them. */
async function tables(): Promise<Table[]> {
  const found = await database.query<{ name: string; partition: boolean; column: string }>(
    "superuser",
    `select format('%I.%I', n.nspname, c.relname) as name, c.relispartition as partition,
       (select attname from pg_attribute where attrelid = c.oid and attnum > 0 and attidentity = ''
          order by attnum limit 1) as column
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('ledger', 'auditor', 'log', 'access', 'maintenance', 'governance') and c.relkind in ('r', 'p')
     order by 1`,
  );
  const counted = found.map(async ({ name, partition, column }) => {
    const [row] = await database.query<{ n: number }>("superuser", `select count(*)::int as n from ${name}`);
    return { name, isPartition: partition, column, rows: row?.n ?? 0 };
  });
  return Promise.all(counted);
}

/** Those that hold no records: they move by design, or only the database's owner knows them. */
const notRecords = new Set([
  "ledger.producer",
  "log.alert_cursor",
  "log.bus_reports",
  "log.bus_source",
  "log.replica",
  "ledger.session_seen",
  "log.state",
  "log.written",
  "governance.migration",
]);

/** Those of them that the service itself moves. */
const movedByService = new Set([
  "ledger.producer",
  "log.alert_cursor",
  "log.bus_reports",
  "log.bus_source",
  "log.replica",
]);

/** A session of a role, to try many statements on. */
async function session(role: "superuser" | "admin" | "service"): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url(role) });
  await client.connect();
  running.defer(() => client.end());
  return client;
}

async function sqlStateOf(client: pg.Client, statement: string): Promise<string | undefined> {
  try {
    await client.query(statement);
    return undefined;
  } catch (cause) {
    return cause instanceof pg.DatabaseError ? cause.code : String(cause);
  }
}

const insufficientPrivilege = "42501";

test("there are records in every table that the following tests try to rewrite", async () => {
  const found = await tables();
  // log.written empties itself.
  const filled = found
    .filter(({ name, rows }) => rows > 0 && name !== "log.written")
    .map(({ name }) => name.replace(/_\d{4}_\d\d$/, ""));
  expect([...new Set(filled)].toSorted()).toEqual([
    "access.read_log",
    "auditor.parameter_change",
    "auditor.write_key",
    "governance.migration",
    "ledger.conflict",
    "ledger.event_key",
    "ledger.session_gap",
    "ledger.session_seen",
    "ledger.user_action",
    "log.entry",
    "log.epoch",
    "log.replica",
    "log.state",
    "maintenance.record_key",
    "maintenance.retain_days",
  ]);
  expect(found.filter(({ isPartition }) => isPartition).length).toBeGreaterThanOrEqual(9);
});

describe("with the service's own credentials", () => {
  let service: pg.Client;
  beforeAll(async () => {
    service = await session("service");
  });

  test("no row of any table or partition can be changed, deleted or truncated", async () => {
    for (const { name, column } of await tables()) {
      const update = movedByService.has(name) ? [] : [`update ${name} set ${column} = ${column}`];
      for (const attempt of [
        ...update,
        `delete from ${name}`,
        `truncate ${name}`,
        `truncate ${name} cascade`,
      ]) {
        expect(await sqlStateOf(service, attempt), attempt).toBe(insufficientPrivilege);
      }
    }
  });

  test("no record can be changed by way of an upsert or a merge", async () => {
    const upsert = `insert into ledger.event_key (event_id, record_id, accepted_at, epoch, ord, content_hash)
      select event_id, record_id, accepted_at, epoch, ord, content_hash from ledger.event_key
      on conflict (event_id) do update set record_id = 'mine'`;
    const merge = `merge into ledger.event_key k using (select 'evt' as id) i on k.event_id = i.id when matched then delete`;
    expect(await sqlStateOf(service, upsert)).toBe(insufficientPrivilege);
    expect(await sqlStateOf(service, merge)).toBe(insufficientPrivilege);
  });

  test("no row can be locked against the others, nor any table", async () => {
    for (const { name } of await tables()) {
      if (movedByService.has(name)) continue;
      for (const attempt of [
        `select 1 from ${name} for update`,
        `lock table ${name} in access exclusive mode`,
      ]) {
        await service.query("begin");
        expect(await sqlStateOf(service, attempt), attempt).toBe(insufficientPrivilege);
        await service.query("rollback");
      }
    }
  });

  test("partitions can be written only through their table", async () => {
    for (const { name, isPartition } of await tables()) {
      if (!isPartition) continue;
      expect(await sqlStateOf(service, `insert into ${name} select * from ${name}`), name).toBe(
        insufficientPrivilege,
      );
    }
  });

  test.each([
    "set role governance_owner",
    "set role governance_admin",
    "set role postgres",
    "set session authorization postgres",
    "set session_replication_role = replica",
    "set local session_replication_role = replica",
    "alter table ledger.user_action disable trigger all",
    "alter table ledger.user_action disable trigger append_only",
    "drop trigger append_only on ledger.user_action",
    "drop table ledger.user_action",
    "drop table ledger.conflict cascade",
    "drop schema ledger cascade",
    "alter table ledger.user_action add column x int",
    "alter table ledger.user_action owner to governance_service",
    "alter table ledger.event_key rename to gone",
    "create table ledger.mine (x int)",
    "create schema mine",
    "create function public.mine() returns int language sql as 'select 1'",
    "create or replace function maintenance.refuse_rewrite() returns trigger language plpgsql as 'begin return old; end'",
    "create rule r as on insert to ledger.event_key do instead nothing",
    "create trigger t before insert on ledger.user_action for each row execute function maintenance.refuse_rewrite()",
    "alter role governance_service superuser",
    "alter role governance_service createrole",
    "grant governance_owner to governance_service",
    "alter default privileges for role governance_owner grant all on tables to governance_service",
    "alter system set fsync = off",
    "alter database postgres set session_replication_role = replica",
    "copy ledger.user_action to program 'cat'",
    "copy ledger.event_key from '/dev/null'",
    "select maintenance.make_append_only('ledger.producer')",
    "update log.state set next_position = 1",
    "insert into log.entry select * from log.entry",
    "insert into maintenance.record_key (key_id) values ('mine')",
    "insert into governance.migration (name) values ('9999_mine')",
    "select * from pg_authid",
  ])("%s is refused", async (statement) => {
    expect(await sqlStateOf(service, statement)).toBe(insufficientPrivilege);
  });

  test("granting itself a right gives it none", async () => {
    await service.query("grant update, delete on ledger.event_key to governance_service"); // Only a warning.
    expect(await sqlStateOf(service, "delete from ledger.event_key")).toBe(insufficientPrivilege);
  });

  test("the setting that lets the purge through does nothing for it", async () => {
    await service.query("begin");
    await service.query("set local governance.maintenance = 'on'");
    expect(await sqlStateOf(service, "delete from ledger.user_action")).toBe(insufficientPrivilege);
    await service.query("rollback");
  });

  test("the role it is a member of gives it no more", async () => {
    await service.query("set role governance_writer");
    for (const { name } of await tables()) {
      expect(await sqlStateOf(service, `delete from ${name}`), name).toBe(insufficientPrivilege);
    }
    await service.query("reset role");
  });

  test("functions that run as their owner cannot be led astray by objects of its own", async () => {
    const later = await session("service");
    await later.query("create temp table state (epoch int)");
    await later.query("create temp table read_log (at timestamptz)");
    await later.query("set search_path = pg_temp, ledger, log, maintenance");
    await later.query("select * from log.advance(10)");
    await later.query("select maintenance.ensure_month(now())");
    expect((await later.query("select log.current_epoch() as epoch")).rows).toEqual([{ epoch: 1 }]);
  });

  test("it owns nothing, no function is everybody's, and those that run as their owner have a fixed search_path", async () => {
    const [found] = await database.query<{ owned: number; open: string[] | null; public: string[] | null }>(
      "superuser",
      `select (select count(*)::int from pg_class where relowner = 'governance_service'::regrole
                 and relpersistence <> 't') as owned,
         (select array_agg(oid::regprocedure::text) from pg_proc
          where prosecdef and not coalesce(proconfig::text like '%search_path=%', false)
            and pronamespace::regnamespace::text in ('ledger','auditor','log','access','maintenance')) as open,
         (select array_agg(oid::regprocedure::text) from pg_proc
          where has_function_privilege('public', oid, 'execute')
            and pronamespace::regnamespace::text in ('ledger','auditor','log','access','maintenance')) as public`,
    );
    expect(found).toEqual({ owned: 0, open: null, public: null });
  });
});

describe("as the administrator, who is a member of the owner", () => {
  let admin: pg.Client;
  beforeAll(async () => {
    admin = await session("admin");
  });

  test.each([
    ["by its own name", "reset role"],
    ["in the owner's name", "set role governance_owner"],
  ])(
    "a statement %s is refused by the trigger of every table and partition that holds records",
    async (_, first) => {
      await admin.query(first);
      for (const { name, rows, column } of await tables()) {
        if (notRecords.has(name)) continue;
        const perRow = [`update ${name} set ${column} = ${column}`, `delete from ${name}`];
        for (const attempt of [`truncate ${name} cascade`, ...(rows > 0 ? perRow : [])]) {
          expect(await sqlStateOf(admin, attempt), attempt).toBe(insufficientPrivilege);
        }
      }
      await admin.query("reset role");
    },
  );

  test("the refusal says what it is about", async () => {
    await expect(admin.query("delete from ledger.event_key")).rejects.toThrow(
      "DELETE on ledger.event_key is refused: its rows are append-only",
    );
  });

  test("the maintenance setting alone does not let a hand at a prompt through", async () => {
    await admin.query("begin");
    await admin.query("set local governance.maintenance = 'on'");
    expect(await sqlStateOf(admin, "delete from ledger.conflict")).toBe(insufficientPrivilege);
    await admin.query("rollback");
  });
});

test("replica mode, in which triggers sleep by default, does not switch these off: not even for a superuser", async () => {
  const superuser = await session("superuser");
  await superuser.query("set session_replication_role = replica");
  for (const { name, rows } of await tables()) {
    if (notRecords.has(name)) continue;
    expect(await sqlStateOf(superuser, `truncate ${name} cascade`), `truncate ${name}`).toBe(
      insufficientPrivilege,
    );
    if (rows > 0)
      expect(await sqlStateOf(superuser, `delete from ${name}`), name).toBe(insufficientPrivilege);
  }
});
