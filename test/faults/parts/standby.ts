import { execFile } from "node:child_process";
import { chown, copyFile, mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { runVictim, type Victim } from "./postgres.ts";

const name = "standby";

/**
 * A second cluster in `folder`, from a base backup of the primary, that streams from it. When this resolves it is
 * synchronous: no commit of the primary's is answered any more before the standby has it.
 */
export async function startStandby(primary: Victim, folder: string): Promise<Victim> {
  await takeBackup(primary, folder, "standby.signal");
  const source = new URL(primary.url("superuser"));
  source.searchParams.set("application_name", name);
  await using started = new AsyncDisposableStack();
  const standby = started.use(await runVictim(folder, { primary_conninfo: source.href }));
  await primary.query(`alter system set synchronous_standby_names = '${name}'`);
  await primary.query("select pg_reload_conf()");
  while (!(await isSynchronous(primary))) await sleep(20);
  started.move();
  return standby;
}

/** As pg_basebackup does it, which the embedded Postgres lacks. What it holds ends when this does; signal says what becomes of it. */
export async function takeBackup(
  primary: Victim,
  folder: string,
  signal: "standby.signal" | "recovery.signal",
): Promise<void> {
  const session = await primary.session();
  try {
    const { rows } = await session.query<{ data_directory: string }>("show data_directory");
    const from = rows[0]?.data_directory ?? "";
    const to = join(folder, "postgres");
    await mkdir(folder, { mode: 0o700 });
    await copyFile(join(dirname(from), "postgres-passwords.json"), join(folder, "postgres-passwords.json"));
    await session.query("select pg_backup_start('standby', fast => true)");
    await promisify(execFile)("cp", ["-a", "--reflink=auto", from, to]);
    const { rows: stopped } = await session.query<{ labelfile: string }>(
      "select labelfile from pg_backup_stop(wait_for_archive => false)",
    );
    // The backup's own end is among what was written since.
    await promisify(execFile)("cp", ["-a", `${join(from, "pg_wal")}/.`, join(to, "pg_wal")]);
    const { uid, gid } = await stat(to);
    const files = { backup_label: stopped[0]?.labelfile ?? "", [signal]: "" };
    for (const [file, text] of Object.entries(files)) {
      await writeFile(join(to, file), text);
      await chown(join(to, file), uid, gid);
    }
    // What is the running primary's own.
    for (const file of ["postmaster.pid", "postmaster.opts"]) await rm(join(to, file), { force: true });
  } finally {
    await session.end();
  }
}

async function isSynchronous(primary: Victim): Promise<boolean> {
  const rows = await primary.query(
    "select from pg_stat_replication where application_name = $1 and state = 'streaming' and sync_state = 'sync'",
    [name],
  );
  return rows.length > 0;
}
