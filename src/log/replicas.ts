import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import { read } from "../db/read.ts";

/** Says to the other replicas whether this one's spool is empty, and knows what they said. */
export type Replicas = AsyncDisposable & {
  /** Says so for the first time: nothing is acknowledged before the others know of this replica. */
  announce(): Promise<void>;
  /**
   * The replicas that may hold acknowledged records which are not in the database: those that said so, and
   * those that have said nothing for a while and did not stop with an empty spool.
   */
  holding(): Promise<readonly string[]>;
};

const everyMs = 1_000;
/** A replica that has said nothing for as long may be away from the database, spooling. */
const silentSeconds = 5;

/** The name of the replica of a data folder: the same whenever it runs there. */
export function replicaId(dataDir: string, newId: () => string): string {
  const path = join(dataDir, "replica-id");
  try {
    const known = readFileSync(path, "utf8").trim();
    if (known !== "") return known;
  } catch (cause) {
    if (sqlState(cause) !== "ENOENT") throw cause;
  }
  const made = `${hostname().slice(0, 64)}-${newId()}`;
  writeFileSync(path, `${made}\n`, { mode: 0o600 });
  return made;
}

/** Begins to say so, every second. Disposing of it says the last word. */
export function announceReplica(options: {
  readonly pool: pg.Pool;
  readonly id: string;
  readonly isSpoolEmpty: () => boolean;
  readonly log: Logger;
}): Replicas {
  const { pool, id, isSpoolEmpty, log } = options;

  async function say(stopped: boolean): Promise<void> {
    try {
      await sayOf(pool, id, { spooled: !isSpoolEmpty(), stopped });
    } catch (cause) {
      log.debug({ code: sqlState(cause) }, "the other replicas could not be told of this one's spool");
    }
  }

  let saying = say(false);
  let isSaying = true;
  const again = () => {
    isSaying = false;
  };
  saying.then(again);
  const timer = setInterval(() => {
    if (isSaying) return;
    isSaying = true;
    saying = say(false);
    saying.then(again);
  }, everyMs);
  timer.unref();

  return {
    announce: () => sayOf(pool, id, { spooled: !isSpoolEmpty(), stopped: false }),
    async holding() {
      const rows = await read<{ replica_id: string }>(pool, {
        name: "log.replicas",
        text: `select replica_id from log.replica
               where spooled or (not stopped and seen_at < now() - $1::int * interval '1 second')
               order by replica_id`,
        values: [silentSeconds],
      });
      const others = rows.map((row) => row.replica_id).filter((each) => each !== id);
      return isSpoolEmpty() ? others : [...others, id].toSorted();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await saying;
      await say(true);
    },
  };
}

/** What a replica says of itself; for one that is gone, whoever drained its spool says it. */
export async function sayOf(
  pool: Pick<pg.Pool, "query">,
  id: string,
  { spooled, stopped }: { spooled: boolean; stopped: boolean },
): Promise<void> {
  await pool.query(
    `insert into log.replica (replica_id, seen_at, spooled, stopped) values ($1, now(), $2, $3)
     on conflict (replica_id) do update
       set seen_at = excluded.seen_at, spooled = excluded.spooled, stopped = excluded.stopped`,
    [id, spooled, stopped],
  );
}
