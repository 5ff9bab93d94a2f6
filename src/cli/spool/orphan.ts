import { existsSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { systemClock } from "../../clock.ts";
import { databaseSettings, limits } from "../../config.ts";
import { openDataFolder } from "../../dataFolder.ts";
import { checkDatabase } from "../../db/check.ts";
import { cannotConnect } from "../../db/migrate.ts";
import { createPool } from "../../db/pool.ts";
import type { Damage, EndedOutage } from "../../journal/spool/entry.ts";
import { viewSpool } from "../../journal/spool/view.ts";
import { loadRecordKey } from "../../keys/recordKey.ts";
import { lockDataFolder, spoolFolders } from "../../processes/folders.ts";
import { drainSpool } from "../../processes/leftSpool.ts";
import { StartupError } from "../../startupError.ts";
import { spoolIn } from "./folder.ts";

/** What became of a dead replica's records, those of all its processes. */
type Orphan = {
  readonly outages: readonly EndedOutage[];
  /** Records that still wait: the database did not take them. */
  readonly left: number;
  readonly refused: number;
  readonly damage: readonly Damage[];
};

/** So long the database may take none before it is given up. */
const patienceMs = 30_000;

/** Drains the spools in a data folder whose processes are gone. Throws a StartupError when it cannot begin. */
export async function drainOrphan(dir: string, env: NodeJS.ProcessEnv): Promise<Orphan> {
  spoolIn(dir);
  const database = databaseSettings(env);
  if (database.kind === "embedded") {
    throw new StartupError(
      "DATABASE_URL: is not set; the records of a replica with an embedded Postgres are drained by starting it",
    );
  }
  await using running = new AsyncDisposableStack();
  const { path } = running.use(await lockDataFolder(dir));
  const keyFile = env.GOVERNANCE_SCRUB_KEY_FILE || join(path, "scrub.key");
  if (!existsSync(keyFile)) {
    throw new StartupError(
      `GOVERNANCE_SCRUB_KEY_FILE: ${keyFile} is not there; name the key file of the replicas`,
    );
  }
  const key = loadRecordKey(keyFile, path);
  const clock = systemClock();
  const log = pino({ level: "silent" });
  const connection = { connectionString: database.url };
  const sessions = {
    statementTimeoutMs: 10_000,
    lockTimeoutMs: 10_000,
    connectTimeoutMs: limits.connectTimeoutMs,
  };
  const pool = createPool({ connection, name: "spool drain", max: 2, limits: sessions, log });
  running.defer(() => pool.end());
  await asked(pool.query("select 1"));
  await asked(checkDatabase(pool, key));

  const outages: EndedOutage[] = [];
  const damage: Damage[] = [];
  let left = 0;
  let refused = 0;
  for (const folder of spoolFolders(path)) {
    await using _lock = folder === path ? undefined : await openDataFolder(folder);
    const drained = await asked(drainSpool(folder, { connection, pool, clock, limits, log, patienceMs }));
    outages.push(...drained.outages);
    if (drained.damage !== undefined) damage.push(drained.damage);
    left += drained.left;
    refused += viewSpool(spoolIn(folder)).held.reduce((sum, held) => sum + held.refused, 0);
  }
  return { outages, left, refused, damage };
}

/** What the database says; that it is away is the setting's error, which names no password. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw cause instanceof StartupError ? cause : cannotConnect("DATABASE_URL", cause);
  }
}
