import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { repeat } from "../repeat.ts";
import type { Alert } from "./alert.ts";
import {
  moveCursor,
  noteDelivered,
  type Place,
  readCursor,
  readHead,
  readStretch,
  undelivered,
} from "./committed.ts";
import type { Outbox } from "./outbox.ts";

/** What the follower has to do with one receiver. */
export type Followed = {
  readonly name: string;
  readonly outbox: Outbox;
  /** Delivered, and not known in the database yet. */
  readonly unnoted: Map<string, Alert>;
  /** Has the alert told, unless it was; resolves once it was. Undefined: too many wait. */
  readonly send: (alert: Alert) => Promise<void> | undefined;
  /** Where the database says that it is, how far it was read, and what of that is not delivered yet. */
  reading: { cursor: Place; readTo: Place; readonly pending: Map<number, number> } | undefined;
};

/** At most as many stretches of the log in one round, so that notes are not kept waiting. */
const stretchesPerRound = 20;
/** A replica that stands still and does not end gives its turn back after this, by Postgres' hand. */
const idleSeconds = 30;
/** What the last round has, when the service stops. */
const lastRoundMs = 1_000;

/**
 * Reads the log for alerts, and makes sure that each receiver has each of them, whoever was to tell it and whatever
 * happened to it. One replica at a time does, by an advisory lock of its session. Only what was in the log a round
 * ago is looked at: whoever raised it was quicker, and has noted so. Disposing notes what can be noted at once.
 */
export function followCommitted(options: {
  /** Of one connection. */
  readonly pool: pg.Pool;
  readonly everyMs: number;
  readonly receivers: () => readonly Followed[];
  readonly alertOnP0Change: () => boolean;
  readonly log: Logger;
}): AsyncDisposable {
  const { pool, log } = options;
  let session: { readonly client: pg.PoolClient; readonly isLeader: boolean } | undefined;
  let ripe: Place | undefined;
  let isBroken = false;
  let isClosed = false;

  async function round(): Promise<void> {
    if (options.receivers().length === 0) return letGo();
    try {
      session ??= { client: await connect(), isLeader: false };
      const { client } = session;
      await noteAll(client);
      if (!session.isLeader) session = { client, isLeader: await isElected(client) };
      if (!session.isLeader) return;
      const head = await readHead(client);
      for (const each of options.receivers()) await follow(client, each, head);
      ripe = head;
      isBroken = false;
    } catch (cause) {
      letGo();
      if (isClosed) return;
      if (!isBroken) log.warn({ code: sqlState(cause) }, "the log cannot be read for its alerts now");
      isBroken = true;
    }
  }

  async function connect(): Promise<pg.PoolClient> {
    const client = await pool.connect();
    // While no statement is under way a lost connection reports here; the next statement fails with it.
    client.on("error", () => undefined);
    try {
      await client.query(`set idle_session_timeout = '${idleSeconds}s'`);
      if (isClosed) throw new Error("the service is stopping");
      return client;
    } catch (cause) {
      client.release(true);
      throw cause;
    }
  }

  /** Ends the session, and with it the turn. */
  function letGo(): void {
    session?.client.release(true);
    session = undefined;
    ripe = undefined;
    for (const each of options.receivers()) each.reading = undefined;
  }

  async function follow(client: pg.PoolClient, each: Followed, head: Place): Promise<void> {
    if (each.reading === undefined) {
      const cursor = await readCursor(client, each.name, head);
      each.reading = { cursor, readTo: cursor, pending: new Map() };
    }
    const { reading } = each;
    for (let n = 0; n < stretchesPerRound && ripe !== undefined && !each.outbox.isFull; n++) {
      const stretch = await readStretch(client, reading.readTo, ripe, options.alertOnP0Change());
      if (stretch === undefined) break;
      // The places of one epoch say nothing of another's: what is pending of it is waited for.
      if (stretch.to.epoch !== reading.readTo.epoch && reading.pending.size > 0) break;
      const missing = await undelivered(client, each.name, stretch.alerts);
      let to = stretch.to;
      for (const { alert, position } of missing) {
        const delivered = each.send(alert);
        if (delivered === undefined) {
          to = { epoch: to.epoch, position: position - 1 };
          break;
        }
        pend(reading.pending, position, 1);
        void delivered.then(() => pend(reading.pending, position, -1));
      }
      reading.readTo = to;
    }
    const { readTo, cursor } = reading;
    const first = Math.min(...reading.pending.keys());
    const done = { epoch: readTo.epoch, position: Math.min(readTo.position, first - 1) };
    // Noted before the cursor moves past it.
    await noteAll(client);
    if (done.epoch === cursor.epoch && done.position === cursor.position) return;
    await moveCursor(client, each.name, done);
    reading.cursor = done;
  }

  async function noteAll(client: pg.PoolClient): Promise<void> {
    for (const { name, unnoted } of options.receivers()) {
      const noting = [...unnoted];
      if (noting.length === 0) continue;
      await noteDelivered(
        client,
        name,
        noting.map(([, alert]) => alert),
      );
      for (const [identity] of noting) unnoted.delete(identity);
    }
  }

  const rounds = repeat(options.everyMs, round);
  return {
    async [Symbol.asyncDispose]() {
      const last = rounds[Symbol.asyncDispose]().then(round);
      await Promise.race([last, sleep(lastRoundMs, undefined, { ref: false })]);
      isClosed = true;
      letGo();
    },
  };
}

async function isElected(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ mine: boolean }>(
    "select pg_try_advisory_lock(hashtextextended('governance.alerts', 0)) as mine",
  );
  return rows[0]?.mine === true;
}

function pend(pending: Map<number, number>, position: number, by: 1 | -1): void {
  const count = (pending.get(position) ?? 0) + by;
  if (count > 0) pending.set(position, count);
  else pending.delete(position);
}
