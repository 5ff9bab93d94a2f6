/**
 * Bounds how many calls are worked on at a time (spec 001 and 002 §21). More wait for their turn, which goes
 * round by caller: who has thousands waiting holds up nobody else (R20). The calls of one subject begin in their
 * order. While nobody waits it is a counter and nothing else.
 */
export type FairQueue = {
  /** Takes a place at once, if one is free and nobody waits for it. */
  enter(): boolean;
  /**
   * Calls `begin`, which must not throw, when a place is free and it is the subject's turn; or without a place, beside
   * those that have one, when the call has waited for as long as it may. What is returned gives up before that.
   */
  wait(subject: string, begin: (hasPlace: boolean) => void): () => void;
  /** Gives a place back. */
  leave(): void;
};

type Waiting = {
  /** undefined once it began or gave up: its place in the line is then passed over. */
  begin: ((hasPlace: boolean) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
  next: Waiting | undefined;
};

type Line = { first: Waiting | undefined; last: Waiting };

export function createFairQueue(options: {
  /** Places: calls that are worked on at a time. */
  readonly maxInFlight: number;
  /** What is left of a call's time is for its work. */
  readonly waitAtMostMs: number;
}): FairQueue {
  const { maxInFlight, waitAtMostMs } = options;
  /** The subjects that wait, in the order of their next turns. */
  const lines = new Map<string, Line>();
  let inFlight = 0;
  let waiting = 0;

  function stopWaiting(call: Waiting): void {
    clearTimeout(call.timer);
    call.begin = undefined;
    waiting--;
    if (waiting === 0) lines.clear();
  }

  function begin(call: Waiting, hasPlace: boolean): void {
    const { begin } = call;
    if (begin === undefined) return;
    stopWaiting(call);
    if (hasPlace) inFlight++;
    begin(hasPlace);
  }

  /** The call whose turn it is; its subject goes behind all others. */
  function takeNext(): Waiting | undefined {
    for (const [subject, line] of lines) {
      lines.delete(subject);
      const call = firstOf(line);
      if (call === undefined) continue;
      line.first = call.next;
      if (line.first !== undefined) lines.set(subject, line);
      return call;
    }
    return undefined;
  }

  return {
    enter() {
      if (inFlight >= maxInFlight || waiting > 0) return false;
      inFlight++;
      return true;
    },
    wait(subject, beginCall) {
      const call: Waiting = { begin: beginCall, timer: undefined, next: undefined };
      const line = lines.get(subject) ?? { first: undefined, last: call };
      if (line.first === undefined) line.first = call;
      else line.last.next = call;
      line.last = call;
      lines.set(subject, line);
      waiting++;
      call.timer = setTimeout(() => {
        begin(call, false);
        firstOf(line); // Lets go of those that are past, should no place ever become free.
      }, waitAtMostMs);
      return () => {
        if (call.begin !== undefined) stopWaiting(call);
      };
    },
    leave() {
      inFlight--;
      while (waiting > 0 && inFlight < maxInFlight) {
        const call = takeNext();
        if (call === undefined) return;
        begin(call, true);
      }
    },
  };
}

/** The first of the line that still waits; those before it are let go. */
function firstOf(line: Line): Waiting | undefined {
  while (line.first !== undefined && line.first.begin === undefined) line.first = line.first.next;
  return line.first;
}
