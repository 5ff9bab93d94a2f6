import { mkdir, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { StartupError } from "../../startupError.ts";
import { chooseAccount } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import { hasCluster, makeCluster } from "./cluster.ts";
import { type ConnectionSettings, connection } from "./connection.ts";
import { stopOrphan } from "./orphan.ts";
import { makePasswords, readPasswords } from "./passwords.ts";
import { type PostgresExit, startPostmaster } from "./postmaster.ts";
import { ADMIN_ROLE, DATABASE, ensureRoles, SERVICE_ROLE, SUPERUSER } from "./roles.ts";
import { serverArguments } from "./settings.ts";
import { openSocketDir } from "./socketDir.ts";
import { stopStepsWithin } from "./stopSteps.ts";

export type EmbeddedPostgresOptions = {
  /** The cluster's folder, made if need be. Beside it lies postgres-passwords.json. */
  readonly dataDir: string;
  /** What Postgres says is appended here; moved to `<logFile>.1` at a start when over 10 MiB. */
  readonly logFile: string;
  /** Postgres settings over ours, as `{ fsync: "off" }` in tests. */
  readonly extraSettings?: Readonly<Record<string, string>>;
  /** Where a run before that has ended had its socket, and its clients look for it. */
  readonly socketDir?: string;
  /** When it is aborted, a start that is under way is given up. */
  readonly signal?: AbortSignal;
};

/** A Postgres of our own. Disposing of it stops it, in 20 s at most. */
export type EmbeddedPostgres = AsyncDisposable & {
  readonly pid: number;
  readonly socketDir: string;
  readonly service: ConnectionSettings;
  readonly admin: ConnectionSettings;
  readonly superuser: ConnectionSettings;
  /** Resolves if Postgres ends without being asked; never otherwise. */
  readonly exited: Promise<PostgresExit>;
  /** As disposing, in `withinMs` at most. */
  stop(withinMs: number): Promise<void>;
};

/**
 * Starts the bundled Postgres on a folder; at first makes the cluster. The caller holds the lock of the data folder
 * (openDataFolder): a Postgres that still runs on the cluster is taken for a leftover and stopped. Throws StartupError.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartupError(`the embedded Postgres in ${options.dataDir} does not start (${reason})`, {
      cause,
    });
  }
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const extra = options.extraSettings ?? {};
  const binaries = await findBinaries();
  const folder = await makeFolder(dirname(resolve(options.dataDir)));
  const dataDir = join(folder, basename(resolve(options.dataDir)));
  const account = await chooseAccount(dataDir, binaries.postgres, [folder, tmpdir()]);

  const passwordFile = join(folder, "postgres-passwords.json");
  const exists = await hasCluster(dataDir);
  const passwords = exists ? await readPasswords(passwordFile, dataDir) : await makePasswords(passwordFile);
  if (exists) {
    await stopOrphan(dataDir);
  } else {
    const sync = extra.fsync !== "off";
    const { initdb } = binaries;
    await makeCluster({
      dataDir,
      initdb,
      account,
      superuser: SUPERUSER,
      password: passwords.superuser,
      sync,
    });
  }

  await using started = new AsyncDisposableStack();
  const socketDir = started.use(await openSocketDir(dataDir, account, options.socketDir)).path;
  const command = account.command(binaries.postgres, serverArguments(dataDir, socketDir, extra));
  const postmaster = started.use(await startPostmaster(command, dataDir, options.logFile, options.signal));
  const superuser = connection(socketDir, SUPERUSER, passwords.superuser, DATABASE);
  await ensureRoles(superuser, passwords);

  const running = started.move();
  return {
    pid: postmaster.pid,
    exited: postmaster.exited,
    socketDir,
    superuser,
    admin: connection(socketDir, ADMIN_ROLE, passwords.admin, DATABASE),
    service: connection(socketDir, SERVICE_ROLE, passwords.service, DATABASE),
    async stop(withinMs) {
      await postmaster.stop(stopStepsWithin(withinMs));
      await running.disposeAsync();
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function makeFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return realpath(path);
}
