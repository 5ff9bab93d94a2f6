import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runVictim, type Victim } from "../parts/postgres.ts";
import { takeBackup } from "../parts/standby.ts";
import type { Scenario } from "../scenario.ts";

/**
 * The primary dies for good, and a base backup of before is recovered to the end of what it holds: the same cluster, and
 * the same transaction ids once more, for other records. Only its timeline says so, and the log goes on by itself.
 */
export const backupRecovered: Scenario = {
  kind: "staged",
  name: "backup-recovered",
  fault: "the cluster is lost; a base backup of it is recovered to a moment of before",
  rounds: 1,
  async play(stage) {
    const primary = stage.postgres;
    const folder = join(stage.folder, "backup");
    await stage.load();
    await sleep(stage.random.between(300, 700));
    const backupMs = performance.now();
    await takeBackup(primary, folder, "recovery.signal");
    await sleep(stage.random.between(300, 700));
    await stage.stopLoad();
    const before = await epochs(primary);
    await primary.kill("all");
    stage.injected();
    const lost = stage.lostSince(backupMs);

    await stage.load();
    const successor = await runVictim(folder, { restore_command: "false" });
    stage.takeOver(successor);
    while ((await successor.query("select where not pg_is_in_recovery()")).length === 0) await sleep(20);
    await stage.recovered(10_000);
    await stage.stopLoad();
    const after = await epochs(successor);
    const [first, second, ...more] = after;
    if (first === undefined || second === undefined || more.length > 0)
      stage.found("log", `the log has the epochs ${after.map(({ epoch }) => epoch)}`);
    else if (first.last >= (before[0]?.last ?? 0))
      stage.found(
        "log",
        `epoch ${first.epoch} goes on to ${first.last} after ${before[0]?.last} had been given`,
      );
    stage.note(
      `${lost} calls of after the backup are lost, and the positions from ${first?.last} to ${before[0]?.last}; epochs ${after.map(({ epoch }) => epoch).join(" and ")}`,
    );
  },
};

async function epochs(postgres: Victim): Promise<readonly { epoch: number; last: number }[]> {
  return postgres.query(
    "select epoch, max(position)::int as last from log.entry group by epoch order by epoch",
  );
}
