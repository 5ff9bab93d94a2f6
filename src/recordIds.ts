import { randomFillSync } from "node:crypto";
import { monotonicFactory } from "ulid";
import type { Clock } from "./clock.ts";

/**
 * ULIDs for records, in the clock's order within this process. Random bytes are drawn by the pool:
 * asking the system for each character costs more than the rest of the id.
 */
export function createRecordIds(clock: Clock): () => string {
  const pool = new Uint8Array(4096);
  let used = pool.length;
  function random(): number {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    return (pool[used++] ?? 0) / 256;
  }
  const next = monotonicFactory(random);
  return () => next(Math.floor(clock.nowMicros() / 1000));
}
