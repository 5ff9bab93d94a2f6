import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Figure } from "../comparison.ts";
import { type Service, startService } from "../service.ts";

/** A start leaves work behind that is not idling yet. */
const settleMs = 10_000;
const ticksPerSecond = 100;

let service: Service | undefined;

async function open(): Promise<AsyncDisposable> {
  service = await startService();
  await sleep(settleMs);
  return service;
}

function pid(): number {
  if (service === undefined) throw new Error("the idle service was not started");
  return service.pid;
}

/** What a service takes of the machine that nobody calls. */
export const idleCpu: Figure = {
  kind: "figure",
  name: "idle-cpu",
  is: "an idle service's CPU",
  unit: "% of a core",
  goal: { atMost: 1 },
  open,
  async measure({ seconds }) {
    const before = await cpuSeconds(pid());
    const started = performance.now();
    await sleep(seconds * 2_000);
    const used = (await cpuSeconds(pid())) - before;
    return { value: (used * 100_000) / (performance.now() - started) };
  },
};

export const idleMemory: Figure = {
  kind: "figure",
  name: "idle-memory",
  is: "an idle service's resident memory",
  unit: "MiB",
  goal: { atMost: 120 },
  open,
  async measure() {
    const status = await readFile(`/proc/${pid()}/status`, "utf8");
    return { value: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024 };
  },
};

async function cpuSeconds(of: number): Promise<number> {
  const stat = await readFile(`/proc/${of}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
