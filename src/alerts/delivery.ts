import { isDeepStrictEqual } from "node:util";
import type pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { type Alert, identityOf, type Raise } from "./alert.ts";
import { type Followed, followCommitted } from "./follower.ts";
import type { AlertMetrics } from "./metrics.ts";
import { createOutbox, type OutboxLimits } from "./outbox.ts";
import { createReceiver } from "./receiver.ts";
import type { AlertSettings, ReceiverSettings } from "./settings.ts";

/** Tells people: at once what is raised here, and from the log whatever somebody was not told of. */
export type AlertDelivery = {
  readonly raise: Raise;
  /** The second is how the log has what was raised as the first: who has the one has the other. */
  readonly fold: (first: Alert, second: Alert) => void;
  /**
   * Gets ready what the settings name; the answer puts it in use. Receivers whose settings are the same keep what
   * waits for them. Throws a StartupError for their files.
   */
  readonly prepare: (settings: AlertSettings) => () => void;
  /** Begins to read the log. Disposing ends all of it. */
  readonly start: () => AsyncDisposable;
};

export type AlertLimits = OutboxLimits & {
  readonly alertsEveryMs: number;
  readonly alertTimeoutMs: number;
  readonly shutdownAlertsMs: number;
};

/** Delivered alerts that are not noted yet: beyond this the oldest is told again after a restart. */
const unnotedMax = 10_000;

type Current = Followed & {
  readonly settings: ReceiverSettings;
  readonly runbooks: string;
  readonly secret: string;
  readonly note: (alert: Alert) => void;
};

/** Connects what the settings name. Throws a StartupError for the receivers' files. */
export function createAlertDelivery(
  first: AlertSettings,
  options: {
    /** Of one connection. */
    readonly pool: pg.Pool;
    readonly clock: Clock;
    readonly limits: AlertLimits;
    readonly alertOnP0Change: () => boolean;
    readonly metrics: AlertMetrics;
    readonly log: Logger;
  },
): AlertDelivery {
  const { limits, metrics, log } = options;
  let current: readonly Current[] = [];
  const retiring = new Set<Promise<void>>();
  prepare(first)();

  function connect(settings: ReceiverSettings, runbooks: string): Current {
    const nowMs = () => options.clock.nowMicros() / 1000;
    const surroundings = { runbooks, nowMs, timeoutMs: limits.alertTimeoutMs };
    const { receiver, secret } = createReceiver(settings, surroundings);
    const { name } = settings;
    const outbox = createOutbox({
      receiver,
      limits,
      log,
      onAttempt: (outcome) => metrics.attempted(name, outcome),
    });
    const unnoted = new Map<string, Alert>();
    const note = (alert: Alert) => {
      unnoted.set(identityOf(alert), alert);
      if (unnoted.size > unnotedMax) for (const oldest of unnoted.keys()) return void unnoted.delete(oldest);
    };
    const send = (alert: Alert) => outbox.send(alert)?.then(() => note(alert));
    return { settings, runbooks, secret, name, outbox, unnoted, note, send, reading: undefined };
  }

  function prepare({ receivers, runbooks }: AlertSettings): () => void {
    const next = receivers.map((settings) => {
      const made = connect(settings, runbooks);
      return current.find((each) => isSame(each, made)) ?? made;
    });
    return () => {
      for (const each of current) {
        if (next.includes(each)) continue;
        retire(each);
        // The same one at another address: what it was told stays told.
        const successor = next.find(({ name }) => name === each.name);
        for (const alert of each.unnoted.values()) successor?.note(alert);
      }
      current = next;
      metrics.follow(() => current);
    };
  }

  function retire({ outbox }: Current): void {
    const closing = outbox.close(limits.shutdownAlertsMs).finally(() => retiring.delete(closing));
    retiring.add(closing);
  }

  return {
    raise(alert) {
      for (const { name, send } of current) {
        if (send(alert) !== undefined) continue;
        metrics.attempted(name, "dropped");
        log.error(
          { receiver: name, reasonCode: alert.reasonCode },
          "too many alerts wait: one is left to the log, if it is on record",
        );
      }
    },
    fold(first, second) {
      for (const { outbox, note } of current) void outbox.fold(first, second)?.then(() => note(second));
    },
    prepare,
    start() {
      const follower = followCommitted({
        pool: options.pool,
        everyMs: limits.alertsEveryMs,
        receivers: () => current,
        alertOnP0Change: options.alertOnP0Change,
        log,
      });
      return {
        async [Symbol.asyncDispose]() {
          await Promise.all(current.map(({ outbox }) => outbox.close(limits.shutdownAlertsMs)));
          await Promise.all(retiring);
          await follower[Symbol.asyncDispose]();
        },
      };
    },
  };
}

function isSame(one: Current, other: Current): boolean {
  return (
    one.secret === other.secret &&
    one.runbooks === other.runbooks &&
    isDeepStrictEqual(one.settings, other.settings)
  );
}
