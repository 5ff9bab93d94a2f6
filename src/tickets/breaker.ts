/**
 * Stops asking a system that does not answer in time. After some failures in a row it is left alone for a
 * while; then one question is let through, and what becomes of it decides. Each failed try doubles the
 * pause, up to six times the first.
 */
export type Breaker = {
  /** Whether a question may be asked now. One that was let through is told of by `succeeded` or `failed`. */
  mayAsk(): boolean;
  succeeded(): void;
  failed(): void;
  /** The system asked to be left alone for so long; undefined: it did not say for how long. */
  throttled(forMs: number | undefined): void;
  /** Whether it asked to be left alone, and the time is not over. */
  readonly isThrottled: boolean;
};

const pauseGrowthMax = 6;
/** Whatever Retry-After says: below it the pause is pointless, above it the system would be forgotten. */
const throttledMinMs = 1_000;
const throttledMaxMs = 300_000;

export function createBreaker(options: {
  readonly failuresToOpen: number;
  readonly pauseMs: number;
  readonly monotonicMs: () => number;
  /** Called when it opens, and when it closes again. */
  readonly onChange: (isOpen: boolean) => void;
}): Breaker {
  const { failuresToOpen, monotonicMs } = options;
  let failures = 0;
  let isOpen = false;
  let isProbing = false;
  let pauseMs = options.pauseMs;
  let pausedUntilMs = 0;
  let throttledUntilMs = 0;

  function pause(forMs: number): void {
    pausedUntilMs = monotonicMs() + forMs;
    isProbing = false;
    if (isOpen) return;
    isOpen = true;
    options.onChange(true);
  }

  return {
    mayAsk() {
      if (!isOpen) return true;
      if (isProbing || monotonicMs() < pausedUntilMs) return false;
      isProbing = true;
      return true;
    },
    succeeded() {
      failures = 0;
      isProbing = false;
      pauseMs = options.pauseMs;
      pausedUntilMs = 0;
      throttledUntilMs = 0;
      if (!isOpen) return;
      isOpen = false;
      options.onChange(false);
    },
    failed() {
      failures++;
      if (isProbing) {
        pauseMs = Math.min(pauseMs * 2, options.pauseMs * pauseGrowthMax);
        pause(pauseMs);
      } else if (!isOpen && failures >= failuresToOpen) {
        pause(pauseMs);
      }
    },
    throttled(forMs) {
      const ms = Math.min(Math.max(forMs ?? pauseMs, throttledMinMs), throttledMaxMs);
      throttledUntilMs = monotonicMs() + ms;
      pause(ms);
    },
    get isThrottled() {
      return monotonicMs() < throttledUntilMs;
    },
  };
}
