import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import { type Connection, sessionOptions, sqlState, turnGone } from "../../db/pool.ts";
import { read } from "../../db/read.ts";
import type { NotedScrub } from "./receiptsFile.ts";
import { type Closing, type Held, type Scrubbed, scrubWallet } from "./scrubWallet.ts";

/** Scrubs closed accounts, one at a time in the whole cluster (R11). */
export type Scrubber = {
  /** Says that a closing was recorded. */
  nudge(): void;
  /**
   * Where the scrub of an account stands: waits for it until withinMs are over. "none" when no closing of
   * it asked for one. Throws STORE_UNAVAILABLE.
   */
  settle(identity: string, withinMs: number): Promise<ScrubState>;
  close(): Promise<void>;
};

export type ScrubState = Scrubbed | Held | { readonly kind: "none" } | { readonly kind: "under way" };

/** Session locks of the database. A purge moves tables away that a scrub has to go through. */
export const purgeLock = "716351, 11";
export const scrubLock = "716351, 12";

/** How often a caller looks for what somebody else does. */
const pollMs = 50;

const sessionLimits = { statementTimeoutMs: 0, lockTimeoutMs: 10_000 };

export function createScrubber(options: {
  /** For reading. */
  readonly pool: pg.Pool;
  /** Undefined: another replica has to do it. */
  readonly admin: Connection | undefined;
  readonly clock: Clock;
  readonly recordId: () => string;
  /** Notes a scrub outside the database, before it is committed. */
  readonly note: (scrub: NotedScrub) => Promise<void>;
  /** `scrubEveryMs`: how often what is pending is looked for; legal holds end, other replicas stop. */
  readonly limits: { readonly connectTimeoutMs: number; readonly scrubEveryMs: number };
  readonly log: Logger;
}): Scrubber {
  const { pool, admin, clock, log, limits } = options;
  const closing = new AbortController();
  let held: ReadonlySet<string> = new Set();
  let current: Promise<void> | undefined;
  let wanted = false;

  /** A look at what is pending that begins after the call; one at a time. */
  function look(): Promise<void> {
    wanted = true;
    current ??= (async () => {
      while (wanted && !closing.signal.aborted) {
        wanted = false;
        await scrubPending().catch((cause: unknown) => {
          if (closing.signal.aborted) return;
          log.warn(
            { code: sqlState(cause) },
            "a closed account could not be scrubbed yet; it is tried again",
          );
        });
      }
      current = undefined;
    })();
    return current;
  }

  async function scrubPending(): Promise<void> {
    if (admin === undefined || (await pendingClosings(pool, null)).length === 0) return;
    const client = new pg.Client({
      ...admin,
      application_name: "governance scrub",
      connectionTimeoutMillis: limits.connectTimeoutMs,
      // A process that died must not keep its locks: the server looks whether anybody is there still.
      options: `${sessionOptions({ ...sessionLimits, connectTimeoutMs: limits.connectTimeoutMs })} -c client_connection_check_interval=1000 ${turnGone}`,
    });
    client.on("error", () => undefined); // The pending query fails with it.
    await client.connect();
    // A service that stops does not wait for a long scrub: what is under way is undone, and begun again.
    const leave = () => void client.end();
    closing.signal.addEventListener("abort", leave);
    try {
      const { rows } = await client.query<{ mine: boolean }>(
        `select pg_try_advisory_lock(${scrubLock}) and pg_try_advisory_lock(${purgeLock}) as mine`,
      );
      if (rows[0]?.mine !== true) return;
      await scrubAll(client);
    } finally {
      closing.signal.removeEventListener("abort", leave);
      await client.end();
    }
  }

  async function scrubAll(client: pg.Client): Promise<void> {
    const nowHeld = new Set<string>();
    const done = new Set<string>();
    for (const each of await pendingClosings(pool, null)) {
      if (closing.signal.aborted) return;
      if (done.has(each.identity)) continue;
      done.add(each.identity);
      const receiptId = `era_${options.recordId()}`;
      const result = await scrubWallet(client, each, {
        receiptId,
        nowMicros: clock.nowMicros(),
        signal: closing.signal,
        note: options.note,
      });
      if (result.kind === "held") nowHeld.add(each.identity);
      else log.info({ receiptId, records: result.records }, "a closed account was scrubbed");
    }
    held = nowHeld;
  }

  const timer = setInterval(look, limits.scrubEveryMs);
  timer.unref();

  return {
    nudge: () => void look(),

    async settle(identity, withinMs) {
      const deadline = clock.monotonicMs() + withinMs;
      const state = async (): Promise<ScrubState> => {
        const receipt = await readReceipt(pool, identity);
        if (receipt !== undefined) return receipt;
        if ((await pendingClosings(pool, identity)).length === 0) return { kind: "none" };
        return held.has(identity) ? { kind: "held" } : { kind: "under way" };
      };
      for (;;) {
        const found = await state();
        if (found.kind === "scrubbed" || found.kind === "none") return found;
        const leftMs = deadline - clock.monotonicMs();
        if (leftMs <= 0) return found;
        await Promise.race([look(), sleep(leftMs, undefined, { ref: false })]);
        // Another replica, or nobody here, may have to do it.
        const now = await state();
        if (now.kind !== "under way") return now;
        await sleep(pollMs);
      }
    },

    async close() {
      clearInterval(timer);
      closing.abort();
      await current;
    },
  };
}

/** Closings without a receipt, oldest first; of one account where an identity is given. */
async function pendingClosings(pool: pg.Pool, identity: string | null): Promise<readonly Closing[]> {
  const rows = await read<{
    record_id: string;
    identity: string;
    wallet: string;
  }>(pool, {
    text: `select c.record_id, c.identity, c.wallet from ledger.closing c
      where ($1::text is null or c.identity = $1)
        and not exists (select from ledger.erasure e where e.identity = c.identity)
      order by c.closed_at, c.record_id`,
    values: [identity],
  });
  return rows.map((row) => ({ recordId: row.record_id, identity: row.identity, wallet: row.wallet }));
}

async function readReceipt(pool: pg.Pool, identity: string): Promise<Scrubbed | undefined> {
  const [row] = await read<{ receipt_id: string; records: string }>(pool, {
    text: "select receipt_id, records::text as records from ledger.erasure where identity = $1",
    values: [identity],
  });
  return row && { kind: "scrubbed", receiptId: row.receipt_id, records: Number(row.records) };
}
