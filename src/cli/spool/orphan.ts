import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { systemClock } from "../../clock.ts";
import { databaseSettings, limits } from "../../config.ts";
import { openDataFolder } from "../../dataFolder.ts";
import { checkDatabase } from "../../db/check.ts";
import { cannotConnect } from "../../db/migrate.ts";
import { createPool } from "../../db/pool.ts";
import { createOutages } from "../../journal/outages.ts";
import { type Damage, type EndedOutage, type SpoolBot, spoolBots } from "../../journal/spool/entry.ts";
import { openSpool, type Spool } from "../../journal/spool/spool.ts";
import { viewSpool } from "../../journal/spool/view.ts";
import { openJournals } from "../../journals.ts";
import { loadRecordKey } from "../../keys/recordKey.ts";
import { replicaId, sayOf } from "../../log/replicas.ts";
import { createRecordIds } from "../../recordIds.ts";
import { StartupError } from "../../startupError.ts";
import { spoolIn } from "./folder.ts";

/** What became of a dead replica's records. */
export type Drained = {
  readonly outages: readonly EndedOutage[];
  /** Records that still wait: the database did not take them. */
  readonly left: number;
  readonly refused: number;
  readonly damage: Damage | undefined;
};

/** So long the database may take none before it is given up. */
const patienceMs = 30_000;

/** Drains the spool in a data folder whose process is gone. Throws a StartupError when it cannot begin. */
export async function drainOrphan(dir: string, env: NodeJS.ProcessEnv): Promise<Drained> {
  const folder = spoolIn(dir);
  const database = databaseSettings(env);
  if (database.kind === "embedded") {
    throw new StartupError(
      "DATABASE_URL: is not set; the records of a replica with an embedded Postgres are drained by starting it",
    );
  }
  await using running = new AsyncDisposableStack();
  const { path } = running.use(await openDataFolder(dir));
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

  const spool = running.use(await openSpool({ folder, maxBytes: Number.MAX_SAFE_INTEGER, clock, log }));
  const ended = new Map<string, EndedOutage>();
  const outages = createOutages({
    spool,
    pool,
    nowMicros: clock.nowMicros,
    onReported: (outage) => ended.set(outage.id, outage),
    // Who runs this sees it; everybody else is told from the log by the replicas that live.
    alerts: { raise: () => undefined, fold: () => undefined },
    log,
  });
  running.use(
    openJournals({
      connection,
      limits,
      spool,
      outages,
      onDrained: () => undefined,
      onBatch: () => () => undefined,
      log,
    }),
  );
  const left = await drained(spool, outages.drained);
  if (left === 0) {
    const said = { spooled: false, stopped: true };
    await asked(sayOf(pool, replicaId(path, createRecordIds(clock)), said));
  }
  const refused = viewSpool(folder).held.reduce((sum, held) => sum + held.refused, 0);
  return { outages: [...ended.values()], left, refused, damage: spool.damage };
}

/** What the database says; that it is away is the setting's error, which names no password. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw cause instanceof StartupError ? cause : cannotConnect("DATABASE_URL", cause);
  }
}

/** Waits until nothing is left, or the database takes nothing any more; answers how many are left. */
async function drained(spool: Spool, report: (bot: SpoolBot) => Promise<void>): Promise<number> {
  const waiting = () => spoolBots.reduce((sum, bot) => sum + spool.state(bot).records, 0);
  let least = waiting();
  for (let since = performance.now(); least > 0; ) {
    await sleep(20);
    const now = waiting();
    if (now < least) since = performance.now();
    else if (performance.now() - since > patienceMs) break;
    least = now;
  }
  for (const bot of spoolBots) await asked(report(bot));
  return least;
}
