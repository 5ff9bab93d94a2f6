import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { StartupError } from "../../startupError.ts";
import type { Account } from "./account.ts";
import { childEnvironment } from "./settings.ts";
import { syncFolder } from "./syncFolder.ts";

const MAJOR_VERSION = "18";
const INITDB_TIMEOUT_MS = 300_000;

/** Whether the folder holds a cluster. Throws StartupError if it holds something else, or another version's. */
export async function hasCluster(dataDir: string): Promise<boolean> {
  const found = await listFolder(dataDir);
  if (found.length === 0) return false;
  if (!found.includes("PG_VERSION")) {
    throw new StartupError(
      `${dataDir} is neither empty nor a Postgres cluster; move it away, or name another GOVERNANCE_DATA_DIR`,
    );
  }
  const version = (await readFile(join(dataDir, "PG_VERSION"), "utf8")).trim();
  if (version !== MAJOR_VERSION) {
    throw new StartupError(
      `${dataDir} was made by Postgres ${version}, the bundled one is ${MAJOR_VERSION}; ` +
        "dump it with the old version and load it into a new folder, or name another GOVERNANCE_DATA_DIR",
    );
  }
  return true;
}

/** What is in the folder; nothing if it does not exist. Throws StartupError if it is another user's. */
export async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT") return [];
    if (code !== "EACCES") throw cause;
    const { uid } = await stat(path);
    const self = process.getuid?.();
    const hint =
      self === 0
        ? "root may not read it here; give root CAP_DAC_OVERRIDE, or start as a normal user with another GOVERNANCE_DATA_DIR"
        : `was the service run as root before? Run chown -R ${self} ${dirname(path)} as root, or start as root again`;
    throw new StartupError(`${path} belongs to another user (uid ${uid}): ${hint}`, { cause });
  }
}

export type NewCluster = {
  readonly dataDir: string;
  readonly initdb: string;
  readonly account: Account;
  readonly superuser: string;
  readonly password: string;
  /** Whether the cluster is on disk when this resolves; false only for tests. */
  readonly sync: boolean;
};

/** Makes the cluster, wholly or not at all: it comes into its place by a rename. Throws StartupError. */
export async function makeCluster(cluster: NewCluster): Promise<void> {
  const { dataDir, account } = cluster;
  await removeHalfMade(dataDir);
  // A name of its own, for an initdb whose starter was killed may still be writing into the last one.
  const workDir = `${dataDir}.new-${randomBytes(4).toString("hex")}`;
  try {
    await mkdir(workDir, { mode: 0o700 });
    const passwordFile = join(workDir, "password");
    await writeFile(passwordFile, cluster.password, { mode: 0o600 });
    if (account.owner) {
      await chown(workDir, account.owner.uid, account.owner.gid);
      await chown(passwordFile, account.owner.uid, account.owner.gid);
    }
    await runInitdb(cluster, join(workDir, "data"), passwordFile);
    await rename(join(workDir, "data"), dataDir);
    await syncFolder(dirname(dataDir));
  } catch (error) {
    throw new StartupError(
      `cannot make a Postgres cluster in ${dataDir} (${reasonOf(error)}); mend that, name another GOVERNANCE_DATA_DIR, or set DATABASE_URL`,
      { cause: error },
    );
  } finally {
    await rm(workDir, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}

async function runInitdb(cluster: NewCluster, target: string, passwordFile: string): Promise<void> {
  const { file, args, credentials } = cluster.account.command(cluster.initdb, [
    `--pgdata=${target}`,
    `--username=${cluster.superuser}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // Text sorts by code point, the same on every machine and in every version.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--data-checksums",
    "--no-instructions",
    ...(cluster.sync ? [] : ["--no-sync"]),
  ]);
  await promisify(execFile)(file, [...args], {
    ...credentials,
    cwd: "/",
    env: childEnvironment(),
    timeout: INITDB_TIMEOUT_MS,
  });
}

async function removeHalfMade(dataDir: string): Promise<void> {
  const prefix = `${basename(dataDir)}.new-`;
  for (const name of await readdir(dirname(dataDir))) {
    if (name.startsWith(prefix)) {
      await rm(join(dirname(dataDir), name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

/** The line in which initdb says what went wrong; never the command, nor what it printed before. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!("stderr" in error) || typeof error.stderr !== "string") return error.message;
  const lines = error.stderr.split("\n").filter((line) => line.trim() !== "");
  // The first is the cause, what follows its consequences; the last, if nothing calls itself an error.
  const said = lines.find((line) => /error|fatal|panic/i.test(line)) ?? lines.at(-1);
  return said?.replace(/^.*?(ERROR|FATAL|PANIC): +/, "").trim() ?? "initdb was killed, or its time was over";
}
