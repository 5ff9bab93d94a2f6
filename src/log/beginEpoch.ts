import pg from "pg";
import { cannotConnect } from "../db/migrate.ts";
import type { Connection } from "../db/pool.ts";
import { checkVersion } from "../db/roleCheck.ts";

/** The log's epochs after begin-epoch. */
export type EpochBegun = {
  readonly begun: boolean;
  readonly epoch: number;
  /** Where the one before ended; readers of it go on behind that. Null of the first. */
  readonly previousEpoch: number | null;
  readonly previousPosition: number | null;
  /** Records that had no position in it, and are the new one's first. */
  readonly broughtAlong: number;
};

/**
 * Begins a new epoch in a database that was restored or promoted; with `anyway` in any. As the administrator; services
 * may run meanwhile. Throws a StartupError when the database is away, or not of this version.
 */
export async function beginEpoch(admin: Connection, anyway: boolean): Promise<EpochBegun> {
  const client = new pg.Client({ ...admin, application_name: "governance begin-epoch" });
  client.on("error", () => undefined); // The pending query fails with it.
  try {
    await client.connect();
  } catch (cause) {
    throw cannotConnect("DATABASE_ADMIN_URL", cause);
  }
  try {
    await checkVersion(client);
    await client.query("begin");
    await client.query("set local role governance_owner");
    const { rows: before } = await client.query<{ epoch: number; why: string | null }>(
      "select epoch, coalesce(log.moved(s), case when $1 then 'asked' end) as why from log.state s",
      [anyway],
    );
    const [state] = before;
    if (state === undefined) throw new Error("the log has no state");
    if (state.why !== null) await client.query("select log.begin_epoch($1, $2)", [state.epoch, state.why]);
    const { rows: after } = await client.query<{
      epoch: number;
      previous_epoch: number | null;
      previous_position: string | null;
      brought_along: string;
    }>(
      "select epoch, previous_epoch, previous_position, brought_along from log.epoch order by epoch desc limit 1",
    );
    await client.query("commit");
    const [now] = after;
    if (now === undefined) throw new Error("the log has no epoch");
    return {
      begun: now.epoch !== state.epoch,
      epoch: now.epoch,
      previousEpoch: now.previous_epoch,
      previousPosition: now.previous_position === null ? null : Number(now.previous_position),
      broughtAlong: Number(now.brought_along),
    };
  } finally {
    await client.end();
  }
}
