import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cannotMount, fillDisk } from "../parts/mounts.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

export const disks: readonly Scenario[] = [
  {
    kind: "staged",
    name: "postgres-disk-full",
    fault: "the disk of Postgres is full, then has room again",
    setting: { postgresDiskMiB: 160 },
    rounds: 1,
    skip: cannotMount,
    async play(stage, rounds, { holdMs }) {
      await stage.load();
      for (let round = 0; round < rounds; round++) {
        await sleep(stage.random.between(200, 500));
        const filler = await fillDisk(join(stage.folder, "database"));
        stage.injected();
        await sleep(holdMs ?? 2_500);
        await filler[Symbol.asyncDispose]();
        await stage.postgres.start();
        await stage.recovered(10_000);
      }
    },
  },
  {
    kind: "staged",
    name: "spool-disk-full",
    fault: "Postgres is away and something fills the spool's disk: nothing is acked that is not down",
    setting: { spoolDiskMiB: 32 },
    rounds: 1,
    skip: cannotMount,
    async play(stage, rounds, { holdMs }) {
      const spool = join(stage.replica.dataDir, "spool");
      await stage.load();
      for (let round = 0; round < rounds; round++) {
        await sleep(300);
        stage.network.change({ kind: "cut" });
        await sleep(stage.random.between(200, 500));
        const filler = await fillDisk(spool);
        stage.injected();
        await sleep(holdMs ?? 1_500);
        await filler[Symbol.asyncDispose]();
        stage.network.change({ kind: "fair" });
        await stage.recovered(10_000);
      }
      await stage.stopLoad();
      expectRefusals(stage);
    },
  },
  {
    kind: "staged",
    name: "spool-disk-small",
    fault: "the spooled records fill the disk themselves; when Postgres is back they drain all the same",
    setting: { spoolDiskMiB: 16 },
    rounds: 1,
    skip: cannotMount,
    async play(stage, _rounds, { holdMs }) {
      // All but some two mebibytes; the spool has taken its reserve.
      await writeFile(join(stage.replica.dataDir, "spool", "filler"), Buffer.alloc(10 << 20));
      await stage.load();
      await sleep(300);
      stage.network.change({ kind: "cut" });
      stage.injected();
      await sleep(holdMs ?? 3_000);
      await stage.stopLoad();
      expectRefusals(stage);
      stage.network.change({ kind: "fair" });
      await stage.recovered(10_000);
    },
  },
];

/** CheckWrite then answers NOT_RECORDED, and ledger calls get RESOURCE_EXHAUSTED. */
function expectRefusals(stage: Stage): void {
  const refused = stage.history.calls.filter(
    ({ answer }) =>
      answer?.kind === "not_recorded" || (answer?.kind === "failed" && answer.code === "RESOURCE_EXHAUSTED"),
  );
  stage.note(`${refused.length} calls were told that there is no room`);
  if (refused.length === 0) stage.found("spool", "nobody was told that there is no room");
}
