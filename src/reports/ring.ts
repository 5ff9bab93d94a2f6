import type { Batch } from "./item.ts";

/** The last stretches of the log, shared by all who read it live. Bounded, whoever lags. */
export type Ring = {
  /** Puts a batch behind the last one. */
  append(batch: Batch): void;
  /** The batch with the record behind this position; undefined when it is not here. */
  behind(position: number): Batch | undefined;
  clear(): void;
};

export function createRing(limits: { readonly maxBatches: number; readonly maxBytes: number }): Ring {
  let batches: Batch[] = [];
  let bytes = 0;
  return {
    append(batch) {
      batches.push(batch);
      bytes += batch.bytes;
      while (batches.length > 1 && (batches.length > limits.maxBatches || bytes > limits.maxBytes)) {
        bytes -= batches.shift()?.bytes ?? 0;
      }
    },
    // Who keeps up asks for the last one.
    behind: (position) => batches.findLast(({ after, to }) => after <= position && position < to),
    clear() {
      batches = [];
      bytes = 0;
    },
  };
}
