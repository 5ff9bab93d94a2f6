import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { type Alert, identityOf } from "./alert.ts";
import type { Receiver } from "./receiver.ts";

/** What one receiver is still to be told, and what it was told: each alert once while this process runs. */
export type Outbox = {
  /**
   * Resolves once the receiver has it, however long that takes; of a repeat, with the first one. Undefined when
   * too many wait already: it is then not taken.
   */
  send(alert: Alert): Promise<void> | undefined;
  /** Makes the second a repeat of the first, if that was sent. */
  fold(first: Alert, second: Alert): Promise<void> | undefined;
  readonly waiting: number;
  readonly isFull: boolean;
  /** Whether the last attempt went well. */
  readonly isReachable: boolean;
  /** Gives what waits this long, if the receiver answers, and then gives it up. */
  close(withinMs: number): Promise<void>;
};

export type OutboxLimits = {
  readonly alertsWaitingMax: number;
  readonly alertRetryMinMs: number;
  readonly alertRetryMaxMs: number;
};

/** How many alerts are remembered, so that they are not told again. */
const rememberedMax = 10_000;

export function createOutbox(options: {
  readonly receiver: Receiver;
  readonly limits: OutboxLimits;
  readonly onAttempt: (outcome: "delivered" | "failed") => void;
  readonly log: Logger;
}): Outbox {
  const { receiver, limits, log } = options;
  const known = new Map<string, Promise<void>>();
  const waiting: { readonly alert: Alert; readonly done: () => void }[] = [];
  const closing = new AbortController();
  let failures = 0;
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (let next = waiting[0]; next !== undefined && !closing.signal.aborted; next = waiting[0]) {
      const failed = await receiver.deliver(next.alert, closing.signal);
      if (closing.signal.aborted && failed !== undefined) return;
      waiting.shift();
      options.onAttempt(failed === undefined ? "delivered" : "failed");
      if (failed === undefined) {
        if (failures > 0) log.info({ receiver: receiver.name }, "the receiver of alerts takes them again");
        failures = 0;
        next.done();
        continue;
      }
      // Behind the others: one that is refused for what it is stops nobody.
      waiting.push(next);
      if (failures === 0) {
        log.error(
          { receiver: receiver.name, ...failed },
          "an alert could not be delivered; it is tried again",
        );
      }
      const pauseMs = Math.min(limits.alertRetryMaxMs, limits.alertRetryMinMs * 2 ** Math.min(failures, 20));
      failures++;
      const jitteredMs = pauseMs * (0.75 + Math.random() / 4);
      await sleep(jitteredMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
    }
  }

  function start(): void {
    running ??= run().finally(() => {
      running = undefined;
      if (waiting.length > 0 && !closing.signal.aborted) start();
    });
  }

  function remember(identity: string, delivered: Promise<void>): void {
    known.set(identity, delivered);
    if (known.size <= rememberedMax + limits.alertsWaitingMax) return;
    for (const oldest of known.keys()) return void known.delete(oldest);
  }

  return {
    send(alert) {
      const identity = identityOf(alert);
      const before = known.get(identity);
      if (before !== undefined) return before;
      if (waiting.length >= limits.alertsWaitingMax || closing.signal.aborted) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      remember(identity, promise);
      waiting.push({ alert, done: resolve });
      start();
      return promise;
    },
    fold(first, second) {
      const delivered = known.get(identityOf(first));
      if (delivered !== undefined) remember(identityOf(second), delivered);
      return delivered;
    },
    get waiting() {
      return waiting.length;
    },
    get isFull() {
      return waiting.length >= limits.alertsWaitingMax;
    },
    get isReachable() {
      return failures === 0;
    },
    async close(withinMs) {
      if (failures === 0 && running !== undefined) {
        await Promise.race([running, sleep(withinMs, undefined, { ref: false })]);
      }
      closing.abort();
      await running;
    },
  };
}
