import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isHeld, readSpool, textsOf } from "../checker/spool.ts";
import { cannotTrace } from "../parts/strace.ts";
import { type FileCall, imageAfter, readFileCalls, straceTo } from "../parts/writes.ts";
import type { Scenario } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** Power cuts tried; every call of the first batches, and then some of each. */
const cuts = 250;

/**
 * The calls of the service on its spool are recorded. For a power cut between any two of them the disk is put
 * together as it may be then, without some or all of what was not fsynced, and read: whatever had been acked is there.
 */
export const powerCut: Scenario = {
  kind: "staged",
  name: "power-cut",
  fault: "the power fails at every point of a batch: writes that were not fsynced are gone",
  rounds: 1,
  skip: cannotTrace,
  setting: {
    under: (folder) => straceTo(join(folder, "calls")),
    crowd: { actions: 3, streams: 1, fills: 1, writes: 3, paceMs: 30 },
  },
  async play(stage, rounds) {
    const { replica, network } = stage;
    await stage.load();
    await sleep(300);
    network.change({ kind: "cut" });
    await sleep(2_000 * rounds);
    await stage.stopLoad();
    const spool = join(replica.dataDir, "spool");
    const calls = await readFileCalls(join(replica.dataDir, "..", "calls"), spool);
    network.change({ kind: "fair" });
    await examine(stage, spool, calls);
    await stage.recovered(15_000);
  },
};

async function examine(stage: Stage, spool: string, calls: readonly FileCall[]): Promise<void> {
  const buffered = stage.history.calls.filter(
    ({ answer }) => answer?.kind === "acked" && answer.durability === "buffered",
  );
  if (calls.length === 0) return stage.note("nothing was written to a spool");
  const random = stage.random.fork("cuts");
  const every = Math.max(1, calls.length / cuts);
  const folder = join(stage.folder, "image");
  let judged = 0;
  for (let at = 1; at < calls.length; at += random.next() * 2 * every) {
    const count = Math.floor(at);
    const next = calls[count];
    if (next === undefined) break;
    // A millisecond for the clocks: theirs is strace's, ours the callers'.
    const cutMs = next.beganAt * 1000 - performance.timeOrigin - 1;
    const due = buffered.filter(({ answeredMs }) => answeredMs <= cutMs);
    const share = random.pick([0, 0, 0.5, 1]);
    const image = imageAfter(calls, count, () => random.next() < share);
    const held = await read(folder, spool, image);
    stage.injected();
    judged++;
    const missing = due.filter((call) => !isHeld(call, held));
    for (const call of missing.slice(0, 3)) {
      const how = `after call ${count} of ${calls.length}, ${share * 100} % of what was not fsynced kept`;
      stage.found("lost", `power cut ${how}: ${call.method} ${call.id} was acked and is not in the spool`);
    }
    if (missing.length > 0) break;
  }
  stage.note(`${judged} power cuts over ${calls.length} calls on the spool, ${buffered.length} acks`);
}

/** The image as the spool's own file would be opened, or why it cannot be. */
async function read(
  folder: string,
  spool: string,
  image: ReadonlyMap<string, Buffer>,
): Promise<ReadonlySet<string>> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "spool"), { recursive: true });
  for (const [path, bytes] of image) {
    // The index in shared memory is made anew from the write-ahead log.
    if (path.startsWith(spool) && !path.endsWith("-shm")) {
      await writeFile(join(folder, "spool", basename(path)), bytes);
    }
  }
  try {
    return textsOf(readSpool(folder) ?? []);
  } catch {
    return new Set(); // Not a database yet: then nothing may have been acked.
  }
}
