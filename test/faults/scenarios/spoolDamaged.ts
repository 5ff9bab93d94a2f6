import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readSpool } from "../checker/spool.ts";
import { type Damage, damageSpool } from "../parts/damage.ts";
import type { Scenario } from "../scenario.ts";

function damaged(damage: Damage, fault: string): Scenario {
  return {
    kind: "staged",
    name: `spool-${damage}`,
    fault,
    rounds: 1,
    async play(stage) {
      const { replica, network } = stage;
      const spool = join(replica.dataDir, "spool");
      await stage.load();
      await sleep(300);
      network.change({ kind: "cut" });
      await sleep(1_200);
      await replica.kill();
      await stage.stopLoad();
      if (!existsSync(join(spool, "spool.db"))) {
        stage.note("there is no spool to damage");
      } else {
        const held = readSpool(replica.dataDir)?.length ?? 0;
        const what = await damageSpool(spool, damage, stage.random.fork("damage"));
        stage.injected();
        const before = (await replica.logged()).length;
        network.change({ kind: "fair" });
        await replica.start();
        const said = (await replica.logged()).slice(before);
        const report = said.split("\n").find((line) => line.includes("SPOOL_DAMAGED"));
        const lost = /"lost":(\d+|null)/.exec(report ?? "")?.[1];
        stage.note(`${held} records held, ${what}; reported lost: ${lost ?? "not reported"}`);
        const isTold = lost === undefined || lost === "null";
        stage.destroyed(isTold ? (lost === "null" ? held : 0) : Number(lost));
        if (report !== undefined && !existsSync(join(spool, "quarantine"))) {
          stage.found("spool", "the damaged files are not in quarantine");
        }
      }
      network.change({ kind: "fair" });
      if (replica.away.at(-1)?.untilMs === Number.POSITIVE_INFINITY) await replica.start();
      await stage.recovered(10_000);
    },
  };
}

export const spoolDamaged: readonly Scenario[] = [
  damaged("bytes-flipped", "bytes of the spool are flipped while the service is down"),
  damaged("file-cut", "the spool's file is cut in half while the service is down"),
  damaged("log-cut", "the spool's write-ahead log is removed while the service is down"),
  damaged("file-gone", "the spool's files are removed while the service is down"),
];
