import { readdir, readFile } from "node:fs/promises";

/** How long a process' threads waited for a core, and when: what it was late with then is the machine's doing. */
export type Starvation = Disposable & {
  /** Milliseconds of waiting between two moments, of all threads together; the last moments may be missing. */
  between(fromMs: number, toMs: number): number;
};

const everyMs = 50;

export function watchStarvation(pid: () => number): Starvation {
  const samples: { readonly atMs: number; readonly pid: number; readonly waitedMs: number }[] = [];
  let over = false;
  async function sample(): Promise<void> {
    const of = pid();
    const waitedMs = await waited(of);
    samples.push({ atMs: performance.now(), pid: of, waitedMs });
    if (!over) timer = setTimeout(sample, everyMs);
  }
  let timer = setTimeout(sample, 0);
  return {
    between(fromMs, toMs) {
      let total = 0;
      for (let i = 1; i < samples.length; i++) {
        const [before, after] = [samples[i - 1], samples[i]];
        if (before === undefined || after === undefined || before.pid !== after.pid) continue;
        if (after.atMs < fromMs || before.atMs > toMs) continue;
        total += Math.max(0, after.waitedMs - before.waitedMs);
      }
      return total;
    },
    [Symbol.dispose]() {
      over = true;
      clearTimeout(timer);
    },
  };
}

/** The kernel's count of the time that threads were ready to run and did not. */
async function waited(pid: number): Promise<number> {
  let sumNs = 0;
  for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, "utf8").catch(() => "0 0 0");
    sumNs += Number(text.split(" ")[1]);
  }
  return sumNs / 1e6;
}
