/** Collects latencies and answers for their percentiles, exactly. */
export interface Latencies {
  add(microseconds: number): void;
  /** The latency in µs that the share `p` (0 to 1) of all stays at or below; 0 when there are none. */
  percentileUs(p: number): number;
}

/** Creates an empty collection: eight bytes a latency, no allocation on most calls. */
export function createLatencies(): Latencies {
  let values = new Float64Array(65_536);
  let length = 0;
  let sorted = true;
  return {
    add(microseconds) {
      if (length === values.length) {
        const larger = new Float64Array(length * 2);
        larger.set(values);
        values = larger;
      }
      values[length++] = microseconds;
      sorted = false;
    },
    percentileUs(p) {
      if (!sorted) values.subarray(0, length).sort();
      sorted = true;
      return Math.round(values[Math.max(0, Math.ceil(p * length) - 1)] ?? 0);
    },
  };
}
