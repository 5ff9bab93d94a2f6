import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { recordUpkeep } from "../load/upkeep.ts";
import type { Victim } from "../parts/postgres.ts";
import { startStandby } from "../parts/standby.ts";
import type { Scenario } from "../scenario.ts";

/**
 * The primary dies for good; its synchronous standby is the same cluster and goes on with the same log, in a new epoch:
 * nothing tells it that it has all that readers saw.
 */
export const standbyPromoted: Scenario = {
  kind: "staged",
  name: "standby-promoted",
  fault: "kill -9 of the primary, its synchronous standby is promoted",
  rounds: 1,
  setting: { postgresSettings: { wal_keep_size: "512MB" } },
  async play(stage, rounds) {
    for (let round = 1; round <= rounds; round++) {
      await using starting = new AsyncDisposableStack();
      const primary = stage.postgres;
      const standby = starting.use(await startStandby(primary, join(stage.folder, `standby${round}`)));
      await stage.load();
      await sleep(stage.random.between(500, 1_000));
      const before = await identity(primary);
      await recordUpkeep(primary, `before-${round}`);
      await sleep(stage.random.between(500, 1_000));
      await primary.kill("all");
      stage.injected();
      await sleep(stage.random.between(0, 1_000));
      await standby.query("select pg_promote()");
      starting.move();
      stage.takeOver(standby);
      await stage.recovered(10_000);
      await recordUpkeep(standby, `after-${round}`);
      await stage.stopLoad();
      const after = await identity(standby);
      if (after.upkeep !== before.upkeep + 2)
        stage.found("lost", `${after.upkeep} receipts of scrubs are on record of ${before.upkeep + 2}`);
      if (after.cluster !== before.cluster || after.timeline <= before.timeline)
        stage.found(
          "log",
          `cluster ${before.cluster}, timeline ${before.timeline} became ${after.cluster}, ${after.timeline}`,
        );
      if (after.epochs.length !== before.epochs.length + 1)
        stage.found("log", `the log's epochs ${before.epochs} became ${after.epochs}`);
      // What was read was committed on the standby too while the primary still ran.
      if (BigInt(after.nextXid) <= BigInt(before.nextXid))
        stage.found("log", `transaction ids go from ${before.nextXid} back to ${after.nextXid}`);
      stage.note(
        `timeline ${after.timeline}, epochs ${after.epochs.join(" and ")}, ids ${before.nextXid} to ${after.nextXid}`,
      );
    }
  },
};

/** Which cluster it is, and how far it has come. */
async function identity(postgres: Victim) {
  const [found] = await postgres.query<{
    cluster: string;
    timeline: string;
    epochs: readonly number[];
    nextXid: string;
    upkeep: number;
  }>(
    `select (select system_identifier from pg_control_system())::text as cluster,
       substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) as timeline,
       (select array_agg(distinct epoch order by epoch) from log.entry) as epochs,
       pg_snapshot_xmax(pg_current_snapshot())::text as "nextXid",
       (select count(*)::int from ledger.erasure) as upkeep`,
  );
  if (found === undefined) throw new Error("Postgres said nothing of itself");
  return found;
}
