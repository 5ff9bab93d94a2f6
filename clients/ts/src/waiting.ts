/** A wait that doubles up to a limit. */
export type Backoff = {
  /** Waits; resolves early when the signal is aborted. */
  wait(signal: AbortSignal): Promise<void>;
  reset(): void;
};

export function createBackoff(firstMs = 100, limitMs = 10_000): Backoff {
  let nextMs = firstMs;
  return {
    wait(signal) {
      const forMs = nextMs;
      nextMs = Math.min(2 * nextMs, limitMs);
      return sleep(forMs, signal);
    },
    reset() {
      nextMs = firstMs;
    },
  };
}

function sleep(forMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, forMs);
    signal.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

/** Wakes all who wait for a condition, so that they look again. */
export type Condition = {
  changed(): void;
  /** Resolves once `isTrue`; rejects with the signal's reason when that is aborted first. */
  until(isTrue: () => boolean, signal?: AbortSignal): Promise<void>;
};

export function createCondition(): Condition {
  const waiting = new Set<() => void>();
  return {
    changed() {
      for (const look of waiting) look();
    },
    until(isTrue, signal) {
      return new Promise((resolve, reject) => {
        function look(): void {
          if (isTrue()) end(resolve);
          else if (signal?.aborted) end(() => reject(signal.reason));
        }
        function end(settle: () => void): void {
          waiting.delete(look);
          signal?.removeEventListener("abort", look);
          settle();
        }
        waiting.add(look);
        signal?.addEventListener("abort", look);
        look();
      });
    },
  };
}
