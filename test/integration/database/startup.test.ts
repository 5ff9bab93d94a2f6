import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrations } from "../../../src/db/migrate.ts";
import { StartupError } from "../../../src/startupError.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { startTestService } from "../../support/service.ts";

let database: TestDatabase;
let running: AsyncDisposableStack;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
});
afterEach(() => running.disposeAsync());

/** The message of a start that has to be refused. */
async function refusalOfStart(env: NodeJS.ProcessEnv): Promise<string> {
  try {
    running.use(await startTestService({ database, env }));
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    return cause.message;
  }
  throw new Error("the service started");
}

/** A login role with one grant, gone after the test; its URL. */
async function loginWith(...grants: string[]): Promise<string> {
  const role = `service_${database.name}`;
  const run = (text: string) => database.query("superuser", text);
  await run(`create role ${role} login password 'secret' noinherit`);
  running.defer(async () => {
    await run(`drop owned by ${role}`);
    await run(`drop role ${role}`);
  });
  await run(`grant governance_writer to ${role} with inherit true`);
  for (const grant of grants) await run(grant.replaceAll("ROLE", role));
  const url = new URL(database.url("service"));
  url.username = role;
  url.password = "secret";
  return url.href;
}

describe("a start with a role that could rewrite records is refused with one line", () => {
  test.each(["superuser", "admin"] as const)("the %s", async (role) => {
    const message = await refusalOfStart({ DATABASE_URL: database.url(role) });
    const user = new URL(database.url(role)).username;
    expect(message).toMatch(
      new RegExp(`^DATABASE_URL: its role ${user} could rewrite [a-z_., ]+; give the service a login role`),
    );
    expect(message).not.toContain("\n");
  });

  test.each<[string, string[]]>([
    ["may update a table", ["grant update on ledger.conflict to ROLE"]],
    ["may delete from a table", ["grant delete on log.entry to ROLE"]],
    ["may truncate a table", ["grant truncate on access.read_log to ROLE"]],
    ["can become the owner", ["grant governance_owner to ROLE with inherit false"]],
    ["can become one that writes all data", ["grant pg_write_all_data to ROLE with inherit false"]],
    ["can become a superuser", ["grant postgres to ROLE with inherit false"]],
    ["can make roles", ["alter role ROLE createrole"]],
  ])("one that %s", async (_, grants) => {
    const message = await refusalOfStart({ DATABASE_URL: await loginWith(...grants) });
    expect(message).toMatch(/^DATABASE_URL: its role service_test_[0-9a-f]+ could rewrite [^\n]+$/);
  });

  test("and one with the writer's rights alone is not", async () => {
    await using service = await startTestService({ database, env: { DATABASE_URL: await loginWith() } });
    expect(service.grpcPort).toBeGreaterThan(0);
  });
});

describe("a database of another version", () => {
  async function empty(): Promise<{ url: (role: "admin" | "service") => string }> {
    const name = `${database.name}_empty`;
    await database.query("superuser", `create database ${name} owner governance_admin`);
    running.defer(async () => {
      await database.query("superuser", `drop database ${name} with (force)`);
    });
    return { url: (role) => database.url(role).replace(/[^/]+$/, name) };
  }

  test("that was never migrated is refused where nobody may migrate it, and migrated where somebody may", async () => {
    const fresh = await empty();
    expect(await refusalOfStart({ DATABASE_URL: fresh.url("service") })).toMatch(
      /^DATABASE_URL: the database lacks migration 0001_\w+\.sql; set DATABASE_ADMIN_URL, or run: governance migrate$/,
    );
    const env = { DATABASE_URL: fresh.url("service"), DATABASE_ADMIN_URL: fresh.url("admin") };
    await using service = await startTestService({ database, env });
    expect(service.grpcPort).toBeGreaterThan(0);
  });

  const byNewer = (servesFrom: string | null) =>
    database.query(
      "superuser",
      "insert into governance.migration (name, serves_from) values ('9999_from_the_future.sql', $1)",
      [servesFrom],
    );

  test.each([
    ["", null],
    [", though it goes on with later ones than this", "9000"],
  ])(
    "that a newer version migrated is refused, with the administrator and without%s",
    async (_, servesFrom) => {
      await byNewer(servesFrom);
      for (const env of [{}, { DATABASE_ADMIN_URL: database.url("admin") }]) {
        expect(await refusalOfStart(env)).toBe(
          "the database was migrated by a newer version (9999_from_the_future.sql); run that version, or a newer one",
        );
      }
    },
  );

  test("that a newer version migrated which goes on with this one is served", async () => {
    await byNewer(migrations().at(-1)?.name.slice(0, 4) ?? null);
    // Its rows move, its owner says: nothing that this version would have to know.
    await database.query(
      "superuser",
      `create table log.from_the_future (at timestamptz);
       comment on table log.from_the_future is 'moves: a bookmark';
       grant select, insert, update on log.from_the_future to governance_writer`,
    );
    const env = { DATABASE_ADMIN_URL: database.url("admin") };
    await using service = await startTestService({ database, env });
    expect(service.grpcPort).toBeGreaterThan(0);
  });

  test("that lacks a later migration is refused by its name", async () => {
    await database.query("superuser", "delete from governance.migration where name like '0009%'");
    expect(await refusalOfStart({})).toMatch(/^DATABASE_URL: the database lacks migration 0009_\w+\.sql/);
  });
});

test("a replica whose key is another one than the database was written with does not serve", async () => {
  await using first = await startTestService({ database });
  expect(first.grpcPort).toBeGreaterThan(0);
  expect(await refusalOfStart({})).toMatch(
    /^GOVERNANCE_SCRUB_KEY_FILE: this key is not the one .+ need the same file$/,
  );
});

test.each<[string, (url: URL) => void, RegExp]>([
  [
    "a wrong password",
    (url) => (url.password = "wrong-secret"),
    /^DATABASE_URL: cannot connect \(28P01\): the password is wrong$/,
  ],
  [
    "no such database",
    (url) => (url.pathname = "/nowhere"),
    /^DATABASE_URL: cannot connect \(3D000\): there is no such database$/,
  ],
])("%s is one line that gives no password away", async (_, spoil, expected) => {
  const url = new URL(database.url("service"));
  spoil(url);
  const message = await refusalOfStart({ DATABASE_URL: url.href });
  expect(message).toMatch(expected);
  expect(message).not.toContain("secret");
});

test("what a start that failed had opened is closed again", async () => {
  await refusalOfStart({ DATABASE_URL: database.url("admin") });
  const left = new pg.Client({ connectionString: database.url("superuser") });
  await left.connect();
  const { rows } = await left.query(
    "select usename from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  await left.end();
  expect(rows).toEqual([]);
});
