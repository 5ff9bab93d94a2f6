/** What was sent to be recorded: columns of the table where it has to be found, by their names. */
export type Content = Readonly<Record<string, string | null>>;

/** What a caller was told. */
export type Answer =
  /** Recorded, a duplicate of what is recorded, or kept: it must never be lost from here on. */
  | {
      readonly kind: "acked";
      readonly durability: "durable" | "buffered";
      /** The id of the record, where the answer names it. */
      readonly recordId?: string;
    }
  /** A verdict whose record nobody promises. */
  | { readonly kind: "not_recorded" }
  /** No answer, or one that is an error. reason: of the service's own errors alone. */
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly reason: string | undefined;
      readonly message: string;
    };

/** One try to get one record recorded. Times are monotonic milliseconds. */
export type Call = {
  readonly method:
    | "RecordUserAction"
    | "StreamUserActions"
    | "RecordExecutionReport"
    | "CheckWrite"
    | "ConfirmWrite";
  /** The record: event_id, fill_id, subject and write_id, or decision_id; a try without an id has one of its own. */
  readonly id: string;
  readonly content: Content;
  /** Records of one key keep the order of their calls; undefined where there is none to keep. */
  readonly orderKey: string | undefined;
  readonly replica: string;
  readonly sentMs: number;
  answeredMs: number;
  answer: Answer | undefined;
};

/** All calls of a scenario, in the order of their sending. */
export type History = {
  readonly calls: readonly Call[];
  sent(call: Omit<Call, "sentMs" | "answeredMs" | "answer">): Call;
  answered(call: Call, answer: Answer): void;
};

export function createHistory(): History {
  const calls: Call[] = [];
  return {
    calls,
    sent(call) {
      const begun: Call = { ...call, sentMs: performance.now(), answeredMs: Number.NaN, answer: undefined };
      calls.push(begun);
      return begun;
    },
    answered(call, answer) {
      call.answeredMs = performance.now();
      call.answer = answer;
    },
  };
}

/** How long this process' event loop stood still, and when: what was late then may have been on time. */
export type Stalls = Disposable & {
  /** Milliseconds of standing still between two moments. */
  between(fromMs: number, toMs: number): number;
};

export function watchStalls(): Stalls {
  const everyMs = 10;
  const stalls: { readonly fromMs: number; readonly untilMs: number }[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - last > 2 * everyMs) stalls.push({ fromMs: last + everyMs, untilMs: now });
    last = now;
  }, everyMs);
  return {
    between: (fromMs, toMs) =>
      stalls.reduce(
        (sum, stall) => sum + Math.max(0, Math.min(stall.untilMs, toMs) - Math.max(stall.fromMs, fromMs)),
        0,
      ),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
