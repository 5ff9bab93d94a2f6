import { chown, mkdir, mkdtemp, rm, rmdir, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { StartupError } from "../../startupError.ts";
import type { Account } from "./account.ts";
import { PORT } from "./settings.ts";

const SOCKET = `.s.PGSQL.${PORT}`;
const PREFIX = "governance-postgres-";
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/** Where Postgres puts its socket. Disposing of it removes a folder that was made for it. */
export type SocketDir = AsyncDisposable & { readonly path: string };

/**
 * The cluster's folder itself, which only its owner may enter; or, if that path is too long, one made for it, where
 * an `earlier` one was.
 */
export async function openSocketDir(dataDir: string, account: Account, earlier?: string): Promise<SocketDir> {
  if (fits(dataDir)) {
    await clearSocketDir(dataDir);
    return { path: dataDir, async [Symbol.asyncDispose]() {} };
  }
  const parent = [tmpdir(), "/tmp"].find((each) => fits(join(each, `${PREFIX}123456`)));
  if (parent === undefined) {
    throw new StartupError(
      `neither GOVERNANCE_DATA_DIR (${dataDir}) nor TMPDIR (${tmpdir()}) is short enough for the path of a socket ` +
        `(${MAX_PATH_BYTES} bytes with /${SOCKET}); name a shorter one`,
    );
  }
  const path = earlier ?? (await mkdtemp(join(parent, PREFIX)));
  // Clearing up after the earlier run has removed it.
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (account.owner) await chown(path, account.owner.uid, account.owner.gid);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}

/**
 * Removes what a Postgres that is gone left for its socket. Its lock file names a pid, which another process may have
 * by now: Postgres would believe itself running.
 */
export async function clearSocketDir(path: string): Promise<void> {
  await unlink(join(path, SOCKET)).catch(() => {});
  await unlink(join(path, `${SOCKET}.lock`)).catch(() => {});
  if (basename(path).startsWith(PREFIX)) await rmdir(path).catch(() => {});
}

function fits(path: string): boolean {
  return Buffer.byteLength(join(path, SOCKET)) <= MAX_PATH_BYTES;
}
