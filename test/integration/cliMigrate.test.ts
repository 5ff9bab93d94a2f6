import pg from "pg";
import { expect, test } from "vitest";
import { migrations } from "../../src/db/migrate.ts";
import { type CliRun, runCli } from "../support/cli.ts";
import { testCluster } from "../support/cluster.ts";
import { createTestDatabase } from "../support/database.ts";

function migrate(env: NodeJS.ProcessEnv, ...more: string[]): Promise<CliRun> {
  return runCli(["migrate", ...more], { env });
}

test("an empty database is brought to this version, and the second time there is nothing to do", async () => {
  await using database = await createTestDatabase();
  const name = `${database.name}_empty`;
  const { user: role } = testCluster().service;
  const at = (url: string) => url.replace(/[^/]+$/, name);
  const env = { DATABASE_URL: at(database.url("service")), DATABASE_ADMIN_URL: at(database.url("admin")) };
  await database.query("superuser", `create database ${name} owner ${testCluster().admin.user}`);
  try {
    const first = await migrate(env);
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    for (const { name: migration } of migrations()) expect(first.stdout).toContain(`ran ${migration}\n`);
    expect(first.stdout).toContain(`${role} may serve with it`);

    expect((await migrate(env)).stdout).toContain("nothing to do");
    const json = JSON.parse((await migrate(env, "--json")).stdout);
    expect(json).toEqual({ database: "external", role, ran: [] });

    const client = new pg.Client({ connectionString: env.DATABASE_URL });
    await client.connect();
    const { rows } = await client.query("select count(*)::int as n from ledger.user_action");
    await client.end();
    expect(rows).toEqual([{ n: 0 }]);
  } finally {
    await database.query("superuser", `drop database ${name} with (force)`);
  }
});

test("the embedded database is left to serve, which migrates it", async () => {
  const run = await migrate({});
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(run.stdout).toContain("governance serve migrates it");
});

test.each([
  ["no administrator", { DATABASE_URL: "postgresql://a@127.0.0.1:1/x" }, "DATABASE_ADMIN_URL: is not set"],
  [
    "an administrator alone",
    { DATABASE_ADMIN_URL: "postgresql://a@127.0.0.1:1/x" },
    "is set without DATABASE_URL",
  ],
  [
    "a database that is not there",
    {
      DATABASE_URL: "postgresql://a@127.0.0.1:1/x",
      DATABASE_ADMIN_URL: "postgresql://a:secret@127.0.0.1:1/x",
    },
    "DATABASE_ADMIN_URL: cannot connect (ECONNREFUSED): nothing listens there",
  ],
  ["a URL that is none", { DATABASE_URL: "secret" }, "DATABASE_URL: is not a URL"],
])("with %s migrating ends with one line, without what the URLs hold", async (_what, env, message) => {
  const run = await migrate(env);
  expect(run).toMatchObject({ exitCode: 1, stdout: "" });
  expect(run.stderr).toMatch(/^governance: [^\n]*\n$/);
  expect(run.stderr).toContain(message);
  expect(run.stderr).not.toContain("secret");
});
