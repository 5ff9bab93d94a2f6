/** The service's clock. Passed in, so that a test can replay a day in a millisecond. */
export type Clock = {
  /** Wall clock, microseconds since 1970-01-01 UTC. */
  readonly nowMicros: () => number;
  /** Monotonic milliseconds, for deadlines; its zero means nothing. */
  readonly monotonicMs: () => number;
};

/**
 * The machine's clock. Wall time comes from Date.now, which follows corrections of the system's clock;
 * calls within one millisecond are told apart by counting microseconds.
 */
export function systemClock(): Clock {
  let lastMs = 0;
  let within = 0;
  return {
    nowMicros() {
      const ms = Date.now();
      if (ms === lastMs) {
        if (within < 999) within++;
      } else {
        lastMs = ms;
        within = 0;
      }
      return ms * 1000 + within;
    },
    monotonicMs: () => performance.now(),
  };
}
