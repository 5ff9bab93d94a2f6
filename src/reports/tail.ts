import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { Logger } from "pino";
import { sqlState } from "../db/pool.ts";
import type { LogHead } from "../log/sequencer.ts";
import { Failure } from "../server/failure.ts";
import type { Batch } from "./item.ts";
import type { ReadBatch } from "./readBatch.ts";
import { createRing } from "./ring.ts";

/** Reads the log forward once for everybody who reads it live. */
export type Tail = {
  /** How far the log has come, by whoever moved it. */
  onHead(head: LogHead): void;
  /** Keeps the tail going until disposed. */
  join(): Disposable;
  /** How far it has read; undefined before it knows. */
  at(): { readonly epoch: number; readonly position: number } | undefined;
  /** The live batch with the record behind this position; undefined when it is not at hand. */
  behind(position: number): Batch | undefined;
  /** Grows with each scrub: what was rendered under another number may name a wallet that is gone (R11). */
  scrubs(): number;
  /** Grows whenever there is something new. */
  version(): number;
  /** Resolves when the version is another one, or the signal is aborted. */
  changed(version: number, signal: AbortSignal): Promise<void>;
  close(): void;
};

/** Readers woken at a time; between, the process does what else it has to, such as writing. */
const wokenAtATime = 16;

/** Pause between two batches: what comes meanwhile is one batch, and one wake-up for every reader. */
const restMs = 10;
const restAfterErrorMs = 250;

export function createTail(options: {
  readonly readBatch: ReadBatch;
  /** Has the log moved on: what other replicas committed is found by it too. */
  readonly nudge: () => void;
  /** How often that is asked for while somebody reads. */
  readonly pollMs: number;
  readonly ring: { readonly maxBatches: number; readonly maxBytes: number };
  readonly log: Logger;
}): Tail {
  const ring = createRing(options.ring);
  const closing = new AbortController();
  let joined = 0;
  let timer: NodeJS.Timeout | undefined;
  let head: LogHead | undefined;
  let at: { epoch: number; position: number } | undefined;
  let scrubs = 0;
  let version = 0;
  let waiting = new Set<() => void>();
  let running: Promise<void> | undefined;

  function forget(): void {
    at = undefined;
    ring.clear();
  }

  async function wake(): Promise<void> {
    version++;
    const woken = [...waiting];
    waiting = new Set();
    for (let from = 0; from < woken.length; from += wokenAtATime) {
      for (const resolve of woken.slice(from, from + wokenAtATime)) resolve();
      await turn();
    }
  }

  /** Reads up to the head. Who begins to read from the past does so by itself. */
  async function run(): Promise<void> {
    while (joined > 0 && head !== undefined && !closing.signal.aborted) {
      if (at === undefined || at.epoch !== head.epoch) {
        forget();
        at = { epoch: head.epoch, position: head.position };
        await wake();
        continue; // Meanwhile the last reader may have left.
      }
      if (at.position >= head.position) return;
      let pauseMs = restMs;
      try {
        const batch = await options.readBatch(at.epoch, at.position);
        // Somebody who came after the last one had left: it begins anew.
        if (at === undefined) continue;
        if (batch.isScrubbed) {
          scrubs++;
          ring.clear();
        }
        if (batch.to > at.position) {
          ring.append(batch);
          at = { epoch: batch.epoch, position: batch.to };
          await wake();
        }
      } catch (cause) {
        if (cause instanceof Failure) {
          pauseMs = restAfterErrorMs;
          options.log.warn({ code: sqlState(cause.cause) }, "the log could not be read for its live readers");
        } else {
          // A record that cannot be told stops nobody for ever: each reader comes upon it by itself and is told.
          options.log.error({ err: cause }, "the log has a record that cannot be reported");
          ring.clear();
          at = { epoch: head.epoch, position: head.position };
          await wake();
        }
      }
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  function start(): void {
    if (running !== undefined || joined === 0) return;
    running = run().finally(() => {
      running = undefined;
      if (at !== undefined && head !== undefined && at.position < head.position) start();
    });
  }

  return {
    onHead(newHead) {
      head = newHead;
      start();
    },
    join() {
      joined++;
      timer ??= setInterval(options.nudge, options.pollMs);
      options.nudge();
      return {
        [Symbol.dispose]() {
          joined--;
          if (joined > 0) return;
          clearInterval(timer);
          timer = undefined;
          forget();
        },
      };
    },
    at: () => at,
    behind: (position) => ring.behind(position),
    scrubs: () => scrubs,
    version: () => version,
    changed(known, signal) {
      if (version !== known || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const done = () => {
          signal.removeEventListener("abort", done);
          waiting.delete(done);
          resolve();
        };
        signal.addEventListener("abort", done);
        waiting.add(done);
      });
    },
    close() {
      clearInterval(timer);
      closing.abort();
    },
  };
}
