import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Limits } from "../config.ts";
import { openDataFolder } from "../dataFolder.ts";
import type { Connection } from "../db/pool.ts";
import { createOutages } from "../journal/outages.ts";
import { type Damage, type EndedOutage, type SpoolBot, spoolBots } from "../journal/spool/entry.ts";
import { openSpool, type Spool } from "../journal/spool/spool.ts";
import { openJournals } from "../journals.ts";
import { replicaId, sayOf } from "../log/replicas.ts";
import { createRecordIds } from "../recordIds.ts";

/** What became of the records in a spool whose process is gone. */
export type Drained = {
  readonly outages: readonly EndedOutage[];
  /** Records that still wait: the database did not take them. */
  readonly left: number;
  readonly damage: Damage | undefined;
};

type Surroundings = {
  readonly connection: Connection;
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Logger;
};

/**
 * Drains the spool in a folder that the caller has locked, and says that its replica holds nothing any more. Given
 * up once the database has taken nothing for `patienceMs`, or when the signal is aborted. Throws what the database says.
 */
export async function drainSpool(
  folder: string,
  options: Surroundings & { readonly patienceMs: number; readonly signal?: AbortSignal },
): Promise<Drained> {
  const { connection, pool, clock, limits, log } = options;
  await using running = new AsyncDisposableStack();
  const maxBytes = Number.MAX_SAFE_INTEGER;
  const spool = running.use(await openSpool({ folder: join(folder, "spool"), maxBytes, clock, log }));
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
  const left = await drained(spool, outages.drained, options);
  if (left === 0) {
    await sayOf(pool, replicaId(folder, createRecordIds(clock)), { spooled: false, stopped: true });
  }
  return { outages: [...ended.values()], left, damage: spool.damage };
}

/** Waits until nothing is left, or the database takes nothing any more; answers how many are left. */
async function drained(
  spool: Spool,
  report: (bot: SpoolBot) => Promise<void>,
  { patienceMs, signal }: { readonly patienceMs: number; readonly signal?: AbortSignal },
): Promise<number> {
  const waiting = () => spoolBots.reduce((sum, bot) => sum + spool.state(bot).records, 0);
  let least = waiting();
  for (let since = performance.now(); least > 0 && signal?.aborted !== true; ) {
    await sleep(20);
    const now = waiting();
    if (now < least) since = performance.now();
    else if (performance.now() - since > patienceMs) break;
    least = now;
  }
  for (const bot of spoolBots) await report(bot);
  return least;
}

/** How long it is waited before a spool that could not be drained is tried again. */
const againMs = 5_000;

/** Drains the spools of processes that no longer run, one after the other, in the background once the database is there. */
export function drainLeftSpools(
  folders: readonly string[],
  options: Surroundings & { readonly prepared: Promise<void> },
): AsyncDisposable {
  const closing = new AbortController();
  const { signal } = closing;
  const closed = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));

  async function drain(folder: string): Promise<void> {
    const log = options.log.child({ folder });
    while (!signal.aborted) {
      try {
        await using _lock = await openDataFolder(folder);
        await drainSpool(folder, { ...options, log, patienceMs: Number.POSITIVE_INFINITY, signal });
        return;
      } catch (cause) {
        if (signal.aborted) return;
        log.error({ err: cause }, "the spool of a process that no longer runs cannot be drained yet");
        await sleep(againMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async function drainAll(): Promise<void> {
    await Promise.race([options.prepared, closed]);
    for (const folder of folders) await drain(folder);
  }

  const draining = drainAll();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await draining;
    },
  };
}
