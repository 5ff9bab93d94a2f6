import { type ExecFileOptions, execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chown, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chooseAccount } from "../../../src/db/embedded/account.ts";
import { connection } from "../../../src/db/embedded/connection.ts";
import { startPostmaster } from "../../../src/db/embedded/postmaster.ts";
import {
  ADMIN_ROLE,
  DATABASE,
  ensureRoles,
  SERVICE_ROLE,
  SUPERUSER,
} from "../../../src/db/embedded/roles.ts";
import { openSocketDir } from "../../../src/db/embedded/socketDir.ts";
import type { EmbeddedPostgres } from "../../../src/db/embedded/startEmbeddedPostgres.ts";
import type { Victim } from "./postgres.ts";

const installed = "/usr/lib/postgresql";

/** The folder of Debian's Postgres: it has pg_dump and pg_restore, which the embedded one lacks. The oldest that will do. */
const programs = (existsSync(installed) ? readdirSync(installed) : [])
  .filter((version) => Number(version) >= 15)
  .sort()
  .map((version) => join(installed, version, "bin"))
  .find((bin) =>
    ["initdb", "postgres", "pg_dump", "pg_restore", "psql"].every((name) => existsSync(join(bin, name))),
  );

/** Why it cannot be used here; undefined when it can. */
export async function lacksDebian(): Promise<string | undefined> {
  return programs === undefined ? `no Postgres of 15 or later in ${installed}` : undefined;
}

function program(name: string): string {
  if (programs === undefined) throw new Error(`${name} is not installed`);
  return join(programs, name);
}

/** Runs one of its programs as the superuser of the cluster; answers what it prints. */
export async function run(name: string, args: readonly string[], postgres: Victim): Promise<string> {
  const { hostname, port, username } = new URL(postgres.url("superuser"));
  const env = { LC_ALL: "C", PGHOST: decodeURIComponent(hostname), PGPORT: port, PGUSER: username };
  const { stdout } = await promisify(execFile)(program(name), [...args], { env, maxBuffer: 2 ** 30 });
  return stdout;
}

const passwords = { superuser: "unused", admin: "unused", service: "unused" };

/** Starts a cluster in the folder, made where there is none: with the roles of the service, or `bare`. */
export async function startDebian(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
  bare = false,
): Promise<EmbeddedPostgres> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const dataDir = join(folder, "postgres");
  const account = await chooseAccount(dataDir, program("postgres"), [folder, tmpdir()]);
  if (!existsSync(dataDir)) {
    await mkdir(dataDir, { mode: 0o700 });
    if (account.owner) await chown(dataDir, account.owner.uid, account.owner.gid);
    const { file, args, credentials } = account.command(program("initdb"), [
      ...["-D", dataDir, "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--auth=trust"],
      ...["--no-sync", "--no-instructions"],
    ]);
    const options: ExecFileOptions = { ...credentials, cwd: "/" };
    await promisify(execFile)(file, [...args], options);
  }
  await using starting = new AsyncDisposableStack();
  const socketDir = starting.use(await openSocketDir(dataDir, account)).path;
  const set = Object.entries({
    listen_addresses: "",
    unix_socket_directories: socketDir,
    fsync: "off",
    max_connections: "200",
    TimeZone: "UTC",
    ...settings,
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const command = account.command(program("postgres"), ["-D", dataDir, ...set]);
  const postmaster = starting.use(
    await startPostmaster(command, dataDir, join(folder, "postgres.log"), undefined),
  );
  const superuser = connection(socketDir, SUPERUSER, passwords.superuser, DATABASE);
  if (!bare) await ensureRoles(superuser, passwords);
  const running = starting.move();
  return {
    pid: postmaster.pid,
    exited: postmaster.exited,
    socketDir,
    superuser,
    admin: connection(socketDir, ADMIN_ROLE, passwords.admin, DATABASE),
    service: connection(socketDir, SERVICE_ROLE, passwords.service, DATABASE),
    stop: () => running.disposeAsync(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
