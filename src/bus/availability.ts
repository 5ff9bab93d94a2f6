import type { Logger } from "pino";
import { type ReasonCode, userMessages } from "../reasonCodes.ts";
import { type SourceName, sourceNames } from "./sources.ts";

/** Whether the event streams are there. */
export type EventStreamState = {
  /** False once one of them has been away for 30 s. */
  readonly isAvailable: boolean;
  /** How long ago all of them were last there. */
  readonly awaySeconds: number;
  readonly limitSeconds: number;
};

export type Availability = Disposable & {
  /** The stream is there. */
  seen(source: SourceName): void;
  state(): EventStreamState;
};

/** EVENT_STREAM_UNAVAILABLE (R27): says when a stream has been away for `awayMs`, and when it is back. */
export function createAvailability(options: {
  readonly awayMs: number;
  readonly everyMs: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}): Availability {
  const { awayMs, nowMs, log } = options;
  const started = nowMs();
  const lastSeen = new Map<SourceName, number>(sourceNames.map((source) => [source, started]));
  let isTold = false;
  const reasonCode = "EVENT_STREAM_UNAVAILABLE" satisfies ReasonCode;

  function state(): EventStreamState {
    const forMs = nowMs() - Math.min(...lastSeen.values());
    return {
      isAvailable: forMs < awayMs,
      awaySeconds: Math.floor(forMs / 1000),
      limitSeconds: awayMs / 1000,
    };
  }

  const timer = setInterval(() => {
    const { isAvailable, awaySeconds } = state();
    if (isAvailable !== isTold) return;
    isTold = !isAvailable;
    if (isTold) log.warn({ reasonCode, awaySeconds }, userMessages[reasonCode]);
    else
      log.info(
        { reasonCode, isBack: true },
        "the event stream is back; it goes on from the committed position",
      );
  }, options.everyMs);
  timer.unref();

  return {
    seen: (source) => void lastSeen.set(source, nowMs()),
    state,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
