import { cannotTrace, tamper } from "../parts/strace.ts";
import type { Repeated, Scenario } from "../scenario.ts";

let tampering: AsyncDisposable | undefined;

/** Postgres is cut off too, so that the spool has to take everything. */
function fsync(name: string, fault: string, injection: string): Scenario {
  const scenario: Repeated = {
    kind: "repeated",
    name,
    fault,
    rounds: 1,
    skip: cannotTrace,
    calmMs: [200, 400],
    holdMs: [1_500, 2_500],
    recoverWithinMs: 10_000,
    async inject(stage) {
      tampering = await tamper(stage.replica.pid, injection);
      stage.network.change({ kind: "cut" });
    },
    async heal(stage) {
      await tampering?.[Symbol.asyncDispose]();
      stage.network.change({ kind: "fair" });
    },
  };
  return scenario;
}

export const fsyncFaults: readonly Scenario[] = [
  fsync("fsync-slow", "each fsync of the service takes 300 ms longer", "fsync,fdatasync:delay_enter=300000"),
  fsync("fsync-fails", "each fsync of the service fails with EIO", "fsync,fdatasync:error=EIO"),
];
