import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeNextVersion, nextMigration } from "../parts/build.ts";
import { checkout, type Replica } from "../parts/replica.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const adminSettings = {
  settings: (postgres: Stage["postgres"]) => ({ DATABASE_ADMIN_URL: postgres.url("admin") }),
};

/** Two replicas give way to the next version's, one after the other; the first of those migrates while the other serves. */
export const rollingUpgrade: Scenario = {
  kind: "staged",
  name: "rolling-upgrade",
  fault:
    "the next version migrates beside the old one, which goes on, is killed and starts again, and gives way",
  rounds: 1,
  setting: { replicas: 2, isBalanced: true, ...adminSettings },
  async play(stage) {
    const next = join(stage.folder, "next");
    await makeNextVersion(stage.root ?? checkout, next);
    const [first, second] = stage.replicas;
    if (first === undefined || second === undefined) throw new Error("two replicas are needed");
    await stage.load();
    await sleep(stage.random.between(300, 600));

    // Somebody who reads keeps the migration from its locks, and must not keep writers from theirs behind it.
    const reader = await stage.postgres.session();
    await reader.query("begin");
    await reader.query("select from auditor.parameter_change limit 1");
    const read = sleep(1_500).then(() => reader.end());

    await giveWay(stage, first, next);
    await read;
    await migrated(stage);
    await sleep(stage.random.between(300, 600));
    await second.kill();
    stage.injected();
    await second.start();
    await sleep(stage.random.between(200, 400));
    await giveWay(stage, second, next);
    await stage.recovered(5_000);
  },
};

/** The reader has gone: nothing is in the way any more. */
async function migrated(stage: Stage): Promise<void> {
  const sinceMs = performance.now();
  for (;;) {
    const ran = await stage.postgres.query("select from governance.migration where name = $1", [
      nextMigration,
    ]);
    const tookMs = Math.round(performance.now() - sinceMs);
    if (ran.length === 1) return stage.note(`the schema was the next one's ${tookMs} ms after the reader`);
    if (tookMs > 20_000) return stage.found("recovery", `the next version has not migrated in ${tookMs} ms`);
    await sleep(20);
  }
}

async function giveWay(stage: Stage, replica: Replica, next: string): Promise<void> {
  const { code } = await replica.stop();
  if (code !== 0) stage.found("recovery", `SIGTERM ended ${replica.name} with ${code}`);
  stage.injected();
  await replica.start(next);
}
