export type OffenderLimits = {
  /** So many connections of one address cut off for breaking the protocol, each within offenceMs of the last … */
  readonly offencesBeforeSlow: number;
  readonly offenceMs: number;
  /** … and it gets one new connection in this time only, until offenceMs after the last. */
  readonly slowConnectionEveryMs: number;
};

/** Addresses whose connections are cut off again and again. */
export type Offenders = {
  /** A connection of the address was cut off for what it sent. */
  cut(address: string): void;
  /** Whether the address may have another connection now. */
  admits(address: string): boolean;
};

type Offender = { offences: number; lastMs: number; admittedMs: number };

/**
 * Slows down who comes back at once to do the same again. Nobody is shut out: behind an address there may be a
 * load balancer, and connections that exist are not touched.
 */
export function createOffenders(limits: OffenderLimits): Offenders {
  /** The longest quiet first. */
  const known = new Map<string, Offender>();

  return {
    cut(address) {
      const now = performance.now();
      for (const [quiet, { lastMs }] of known) {
        if (now - lastMs <= limits.offenceMs) break;
        known.delete(quiet);
      }
      const offender = known.get(address) ?? {
        offences: 0,
        lastMs: now,
        admittedMs: Number.NEGATIVE_INFINITY,
      };
      offender.offences++;
      offender.lastMs = now;
      known.delete(address);
      known.set(address, offender);
    },
    admits(address) {
      const offender = known.get(address);
      if (offender === undefined || offender.offences < limits.offencesBeforeSlow) return true;
      const now = performance.now();
      if (now - offender.lastMs > limits.offenceMs) return true;
      if (now - offender.admittedMs < limits.slowConnectionEveryMs) return false;
      offender.admittedMs = now;
      return true;
    },
  };
}
