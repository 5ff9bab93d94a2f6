import { access, constants, mkdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StartupError } from "./startupError.ts";

/** A folder that this process alone uses until it is disposed of. */
export type DataFolder = AsyncDisposable & {
  /** Absolute, symbolic links resolved. */
  readonly path: string;
};

const SQLITE_BUSY = 5;

/**
 * Creates the folder (0700) if need be and locks it for this process; a second one is refused at once.
 * The lock ends with the process, however it ends. Throws StartupError.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const folder = await makeWritable(resolve(path));
  const pidFile = join(folder, "lock.pid");
  const lock = await takeLock(folder, pidFile);
  try {
    await writeFile(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    lock.close();
    throw unusable(folder, error);
  }
  let open = true;
  return {
    path: folder,
    async [Symbol.asyncDispose]() {
      if (!open) return;
      open = false;
      await rm(pidFile, { force: true });
      lock.close();
    },
  };
}

async function makeWritable(path: string): Promise<string> {
  try {
    // Parents get the usual mode: only the folder itself is ours to close to others.
    await mkdir(dirname(path), { recursive: true });
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    const folder = await realpath(path);
    if (!(await stat(folder)).isDirectory()) throw new Error("it is not a folder");
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return folder;
  } catch (error) {
    throw unusable(path, error);
  }
}

async function takeLock(folder: string, pidFile: string): Promise<DatabaseSync> {
  let lock: DatabaseSync | undefined;
  try {
    // SQLite's lock is the kernel's, so it cannot outlive us. The file stays empty: nothing in it can break.
    // The pid is kept beside it, because reading the lock file by other means would drop the lock (POSIX).
    lock = new DatabaseSync(join(folder, "lock"), { timeout: 0 });
    lock.exec("pragma journal_mode = memory; begin exclusive");
    return lock;
  } catch (error) {
    lock?.close();
    if (!isBusy(error)) throw unusable(folder, error);
    const pid = (await readFile(pidFile, "utf8").catch(() => "")).trim();
    const holder = pid === "" ? "another governance process" : `another governance process (pid ${pid})`;
    throw new StartupError(
      `GOVERNANCE_DATA_DIR: ${folder} is in use by ${holder}; stop that one, or name another folder`,
    );
  }
}

function unusable(folder: string, error: unknown): StartupError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartupError(
    `GOVERNANCE_DATA_DIR: ${folder} cannot be used (${reason}); name a folder that ${user()} can create and write`,
    { cause: error },
  );
}

function user(): string {
  const uid = process.getuid?.();
  return uid === undefined ? "this user" : `uid ${uid}`;
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
