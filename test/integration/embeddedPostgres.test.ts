import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ConnectionSettings } from "../../src/db/embedded/connection.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded/startEmbeddedPostgres.ts";

const module = new URL("../../src/db/embedded/startEmbeddedPostgres.ts", import.meta.url).href;
const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === "linux";

// The tests go on with one cluster, as making one takes longest. What they expect to find in it they put
// there themselves.
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "embedded-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function start(at = folder): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres(optionsOf(at));
}

function optionsOf(at: string) {
  return {
    dataDir: join(at, "postgres"),
    logFile: join(at, "postgres.log"),
    extraSettings: { fsync: "off" },
  };
}

async function ask(settings: ConnectionSettings, sql: string): Promise<unknown> {
  const client = new Client(settings);
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** Something to find again. */
function keep(postgres: EmbeddedPostgres): Promise<unknown> {
  return ask(postgres.admin, "create table if not exists kept as select 42 as answer");
}

async function isAlive(pid: number): Promise<boolean> {
  if (isLinux) {
    // A zombie, not yet taken notice of by its new parent, is dead.
    const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    return state !== "" && !state.includes(") Z ");
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** All processes of the cluster, the postmaster's children too: each has made its folder the current one. */
async function processesIn(dataDir: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return pids.filter((_, index) => folders[index] === dataDir);
}

function capabilitiesOf(status: string): bigint {
  return BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1]}`);
}

test("the first start makes a cluster, the second finds its data", async () => {
  await using first = await start();
  await keep(first);
  await first[Symbol.asyncDispose]();
  await using second = await start();
  expect(second.pid).not.toBe(first.pid);
  expect(await ask(second.admin, "select min(answer) from kept")).toBe(42);
});

test("the service and the administrator are plain users, each with a password of its own", async () => {
  await using postgres = await start();
  const { service, admin } = postgres;
  const flags =
    "select (rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls)::text from pg_roles where rolname = current_user";
  expect(await ask(service, flags)).toBe("(f,f,f,f,f)");
  expect(await ask(admin, flags)).toBe("(f,t,f,f,f)");
  await expect(ask(service, "create table intruder ()")).rejects.toThrow(/permission denied/);
  await expect(ask({ ...service, password: admin.password }, "select 1")).rejects.toThrow(
    /authentication failed/,
  );
});

test("Postgres keeps what it confirms, and listens on no port", async () => {
  const { extraSettings, ...durable } = optionsOf(folder);
  expect(extraSettings.fsync).toBe("off");
  await using postgres = await startEmbeddedPostgres(durable);
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"]) {
    expect([setting, await ask(postgres.service, `show ${setting}`)]).toEqual([setting, "on"]);
  }
  expect(await ask(postgres.superuser, "show listen_addresses")).toBe("");
  expect(await ask(postgres.service, "select max(x) from (values ('a'), ('B'), ('ä')) as t (x)")).toBe("ä");
});

test("passwords are in a file for us alone, and nowhere in the log", async () => {
  await using postgres = await start();
  const file = join(folder, "postgres-passwords.json");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const log = await readFile(join(folder, "postgres.log"), "utf8");
  for (const { password } of [postgres.service, postgres.admin, postgres.superuser]) {
    expect(password.length).toBeGreaterThan(30);
    expect(log).not.toContain(password);
  }
});

test("stopping leaves no process and no socket, and a second stop is nothing", async () => {
  const postgres = await start();
  const dataDir = join(folder, "postgres");
  if (isLinux) expect((await processesIn(dataDir)).length).toBeGreaterThan(1);
  await Promise.all([postgres[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
  if (isLinux) expect(await processesIn(dataDir)).toEqual([]);
  expect(await isAlive(postgres.pid)).toBe(false);
  expect((await readdir(dataDir)).filter((name) => /PGSQL|postmaster.pid/.test(name))).toEqual([]);
});

test("a Postgres that outlived its killed owner is replaced, with all that was committed", async () => {
  const before = await start();
  await keep(before);
  await before[Symbol.asyncDispose]();
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    const postgres = await startEmbeddedPostgres(${JSON.stringify(optionsOf(folder))});
    console.log(postgres.pid);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await once(owner.stdout, "data");
  const orphan = Number(String(said));
  // Its whole group, as Ctrl-C in a terminal would: Postgres is in none of it.
  process.kill(-(owner.pid ?? Number.NaN), "SIGKILL");
  await once(owner, "exit");
  expect(await isAlive(orphan)).toBe(true);

  await using postgres = await start();
  expect(postgres.pid).not.toBe(orphan);
  expect(await isAlive(orphan)).toBe(false);
  expect(await ask(postgres.admin, "select min(answer) from kept")).toBe(42);
});

test("a Postgres that is killed is reported, and the next start recovers", async () => {
  await using killed = await start();
  await keep(killed);
  await ask(killed.admin, "insert into kept values (43)");
  process.kill(killed.pid, "SIGKILL");
  expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });
  await using postgres = await start();
  expect(await ask(postgres.admin, "select max(answer) from kept")).toBe(43);
});

test("stopping is not reported as an unexpected end", async () => {
  const postgres = await start();
  await postgres[Symbol.asyncDispose]();
  const pending = new Promise((resolve) => setTimeout(resolve, 50, "pending"));
  expect(await Promise.race([postgres.exited, pending])).toBe("pending");
});

test("a stale pid file that names some other process is ignored, and that process left alone", async () => {
  await using killed = await start();
  const dataDir = join(folder, "postgres");
  const { uid, gid } = await stat(dataDir);
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;
  // Of the same user as Postgres, which then believes a pid file.
  const stranger: ChildProcess = spawn("sleep", ["60"], isRoot ? { uid, gid } : {});
  try {
    for (const name of ["postmaster.pid", ".s.PGSQL.5432.lock"]) {
      const text = await readFile(join(dataDir, name), "utf8");
      await writeFile(join(dataDir, name), text.replace(String(killed.pid), String(stranger.pid)));
    }
    await using postgres = await start();
    expect(await ask(postgres.service, "select 1")).toBe(1);
    expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("a folder may be moved, and if its path is too long for a socket, one is made elsewhere while it runs", async () => {
  const before = await start();
  await keep(before);
  await before[Symbol.asyncDispose]();
  const long = join(folder, "x".repeat(100));
  await mkdir(long);
  for (const name of ["postgres", "postgres-passwords.json"])
    await rename(join(folder, name), join(long, name));
  try {
    const postgres = await start(long);
    expect(dirname(postgres.socketDir)).toBe(tmpdir());
    expect((await stat(postgres.socketDir)).mode & 0o777).toBe(0o700);
    expect(await ask(postgres.admin, "select min(answer) from kept")).toBe(42);
    await postgres[Symbol.asyncDispose]();
    await expect(stat(postgres.socketDir)).rejects.toThrow(/ENOENT/);
  } finally {
    for (const name of ["postgres", "postgres-passwords.json"])
      await rename(join(long, name), join(folder, name));
  }
});

test("a setting that Postgres refuses is an error with Postgres' own words", async () => {
  const options = { ...optionsOf(folder), extraSettings: { shared_buffers: "plenty" } };
  await expect(startEmbeddedPostgres(options)).rejects.toThrow(
    /^Postgres does not start in .*postgres \(invalid value for parameter "shared_buffers": "plenty"\); its log is .*postgres\.log$/,
  );
});

test.runIf(isRoot && isLinux)(
  "root gives Postgres no more power than it needs to get to its folder",
  async () => {
    await using postgres = await start();
    const powers = capabilitiesOf(await readFile(`/proc/${postgres.pid}/status`, "utf8"));
    // One of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by how the package was installed.
    expect([2n, 4n]).toContain(powers);
  },
);
