import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { developmentToken, loadDevelopmentKey } from "../../../src/keys/developmentKey.ts";
import { createTestDatabase } from "../../support/database.ts";
import { start } from "../start/command.ts";
import { startNeighbour } from "./neighbour.ts";

export const megabyte = 1024 * 1024;

/** Says when all of it is there, and goes on until told to stop. */
export type Attack = (signal: AbortSignal, inPlace: () => void) => Promise<void>;

/** The real service as a process of its own, with a well-behaved client beside those who abuse it. */
export type Abused = AsyncDisposable & {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly token: string;
  /**
   * Runs the attack. Every call of the neighbour must be answered, its p99 at most doubled once the service had a
   * second to notice, and the service may grow by this many bytes at most. On a machine that has other things to
   * do the p99 is measured up to three times: chance makes it worse, never better.
   */
  withstand(attack: Attack, mayGrowBytes: number): Promise<void>;
};

/** An attack is to be noticed and held off within this. */
const noticedMs = 1000;
const measuredMs = 1000;

/** On a machine that is busy with other things as well, no p99 can be told from another below this. */
const floorMs = 200;

export async function startAbused(): Promise<Abused> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(await mkdtempDisposable(join(tmpdir(), "governance-abuse-")));
  const database = starting.use(await createTestDatabase());
  const dataDir = join(folder.path, "data");
  const service = starting.use(
    start({
      DATABASE_URL: database.url("service"),
      GOVERNANCE_DATA_DIR: dataDir,
      GOVERNANCE_GRPC_ADDR: "127.0.0.1:0",
      GOVERNANCE_HTTP_ADDR: "127.0.0.1:0",
      GOVERNANCE_LOG_LEVEL: "fatal",
    }),
  );
  const ports = await service.ready;
  const { signing } = loadDevelopmentKey(dataDir);
  const claims = { subject: "neighbour", roles: ["bot", "config-store"], wallet: undefined } as const;
  const token = await developmentToken(signing, { ...claims, ttlSeconds: 3600 });
  const neighbour = starting.use(await startNeighbour({ ...ports, token }));
  await sleep(1000); // The first calls are slow: nothing is compiled yet.
  const running = starting.move();

  async function residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${service.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** How much slower than it may be the neighbour was: 1 is the limit. */
  async function slowness(attack: Attack, mayGrowBytes: number): Promise<number> {
    await neighbour.seen();
    await sleep(measuredMs);
    const before = await neighbour.seen();
    const startBytes = await residentBytes();
    const stop = new AbortController();
    const placed = Promise.withResolvers<void>();
    const attacking = attack(stop.signal, () => placed.resolve());
    await Promise.race([placed.promise, attacking]);
    await sleep(noticedMs);
    const noticing = await neighbour.seen();
    const grownBytes = await watched(residentBytes, measuredMs);
    const during = await neighbour.seen();
    stop.abort();
    await attacking;
    const [late, lost] = [during.failures.filter(isLate), noticing.failures.filter((one) => !isLate(one))];
    expect([...lost, ...during.failures.filter((one) => !isLate(one))]).toEqual([]);
    expect(grownBytes - startBytes).toBeLessThan(mayGrowBytes);
    if (late.length > 0 || during.calls === 0) return Number.POSITIVE_INFINITY;
    return during.p99Ms / Math.max(2 * before.p99Ms, floorMs);
  }

  return {
    ...ports,
    token,
    async withstand(attack, mayGrowBytes) {
      let best = Number.POSITIVE_INFINITY;
      for (let turn = 0; turn < 3 && best > 1; turn++) {
        best = Math.min(best, await slowness(attack, mayGrowBytes));
      }
      expect(best).toBeLessThanOrEqual(1);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Resolves when the attack is to stop. */
export function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Whether a call was answered in time, but with no more than that there was no time. */
const isLate = (failure: string) => failure.includes("BUDGET_EXCEEDED");

/** The highest of what is measured over a while. */
async function watched(measure: () => Promise<number>, forMs: number): Promise<number> {
  const untilMs = performance.now() + forMs;
  let highest = 0;
  while (performance.now() < untilMs) {
    highest = Math.max(highest, await measure());
    await sleep(50);
  }
  return highest;
}
