import { execFile } from "node:child_process";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { migrate, migrations } from "../../../src/db/migrate.ts";
import { appendActions } from "../../../src/ledger/append.ts";
import { makeNextVersion, nextMigration } from "../../faults/parts/build.ts";
import { checkout } from "../../faults/parts/replica.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { startTestService } from "../../support/service.ts";
import { until } from "../alerts/receiving.ts";
import { actionRow } from "../log/records.ts";

let database: TestDatabase;
let running: AsyncDisposableStack;
beforeEach(async () => {
  running = new AsyncDisposableStack();
  database = running.use(await createTestDatabase());
});
afterEach(() => running.disposeAsync());

/** A database that nobody ever migrated; its admin URL. */
async function freshDatabase(suffix: string): Promise<string> {
  const name = `${database.name}_${suffix}`;
  await database.query("superuser", `create database ${name} owner governance_admin`);
  running.defer(async () => {
    await database.query("superuser", `drop database ${name} with (force)`);
  });
  return database.url("admin").replace(/[^/]+$/, name);
}

const names = migrations().map((migration) => migration.name);

test("ten that migrate a fresh database at the same moment run each migration once, between them", async () => {
  const connectionString = await freshDatabase("ten");
  const runs = await Promise.all(
    Array.from({ length: 10 }, () => migrate({ connectionString }, "governance_service")),
  );
  expect(runs.flat().toSorted()).toEqual(names);
  expect(runs.filter((ran) => ran.length === 0).length, "whoever came second found it done").toBe(9);
});

test("two databases of one cluster can be migrated at the same moment", async () => {
  const urls = await Promise.all(["one", "two", "three"].map((suffix) => freshDatabase(suffix)));
  const runs = await Promise.all(
    urls.map((connectionString) => migrate({ connectionString }, "governance_service")),
  );
  expect(runs).toEqual([names, names, names]);
});

test("ten services that start on a fresh database at the same moment all serve", async () => {
  const adminUrl = await freshDatabase("services");
  const name = adminUrl.slice(adminUrl.lastIndexOf("/") + 1);
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-keys-")));
  const env = {
    DATABASE_URL: database.url("service").replace(/[^/]+$/, name),
    DATABASE_ADMIN_URL: adminUrl,
    GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key"),
  };
  const services = await Promise.all(
    Array.from({ length: 10 }, async () => running.use(await startTestService({ database, env }))),
  );
  for (const service of services) {
    const { status } = await fetch(`http://127.0.0.1:${service.httpPort}/healthz`);
    expect(status).toBe(200);
  }
});

test("a migration that a reader keeps from its locks keeps nobody waiting behind it, and runs when the reader is done", async () => {
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-next-"))).path;
  await makeNextVersion(checkout, folder);
  const reader = new pg.Client({ connectionString: database.url("superuser") });
  await reader.connect();
  await reader.query("begin");
  await reader.query("select from ledger.user_action");
  const ran = promisify(execFile)(process.execPath, [join(folder, "src/cli/governance.ts"), "migrate"], {
    env: {
      ...process.env,
      DATABASE_URL: database.url("service"),
      DATABASE_ADMIN_URL: database.url("admin"),
    },
  });
  const writer = new pg.Client({ connectionString: database.url("service"), statement_timeout: 1_000 });
  await writer.connect();
  const isWaiting = `select from pg_locks where mode = 'AccessExclusiveLock' and not granted
    and relation = 'ledger.user_action'::regclass and database = (select oid from pg_database where datname = current_database())`;
  try {
    await writer.query("select maintenance.ensure_month('2026-05-01Z')");
    // Twice: it comes back for its locks.
    for (let waits = 0; waits < 2; waits++) {
      await until("it waits", async () => (await database.query("superuser", isWaiting)).length > 0);
      await appendActions(writer, [actionRow(`behind it ${waits}`)]);
      await until("it let go", async () => (await database.query("superuser", isWaiting)).length === 0);
    }
  } finally {
    await reader.end();
    await writer.end();
  }
  expect((await ran).stdout).toContain(`ran ${nextMigration}\n`);
});

test("migrating again does nothing and loses nothing", async () => {
  await database.query("service", "insert into ledger.event_key values ('e', 'r', now(), default, 1, 0, '')");
  expect(await migrate({ connectionString: database.url("admin") }, "governance_service")).toEqual([]);
  expect(await database.query("service", "select event_id from ledger.event_key")).toEqual([
    { event_id: "e" },
  ]);
});

test("a migration that fails is undone whole and names its cause, and the next run goes on there", async () => {
  const connectionString = await freshDatabase("failing");
  const name = connectionString.slice(connectionString.lastIndexOf("/") + 1);
  const superuserUrl = database.url("superuser").replace(/[^/]+$/, name);
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  await client.query("create schema access"); // In the way of the first migration.
  await expect(migrate({ connectionString }, "governance_service")).rejects.toThrow(
    /^DATABASE_ADMIN_URL: migrating failed \(42P06\): schema "access" already exists$/,
  );
  const { rows } = await client.query("select to_regnamespace('ledger') as left_behind");
  expect(rows).toEqual([{ left_behind: null }]);
  await client.query("drop schema access");
  await client.end();
  expect(await migrate({ connectionString }, "governance_service")).toEqual(names);
});
