import { setTimeout as sleep } from "node:timers/promises";
import { callFailure } from "../connection/failure.ts";

/** Tries of one call that gets no answer; together they wait about six seconds. */
export const triesMax = 7;

/** Waits before the next try: longer each time. Rejects with the signal's reason when it is aborted. */
export async function pause(triesBefore: number, stop: AbortSignal): Promise<void> {
  stop.throwIfAborted();
  await sleep(Math.min(2000, 100 * 2 ** (triesBefore - 1)));
  stop.throwIfAborted();
}

/**
 * Whether the same again may get through. Ids make that safe. A service that never answered is not
 * waited for: most likely the address is wrong.
 */
export function isWorthRetrying(cause: unknown, hasAnswered: boolean): boolean {
  const failure = callFailure(cause);
  if (failure === undefined) return false;
  return failure.kind === "unreachable" ? hasAnswered : failure.isTransient;
}
