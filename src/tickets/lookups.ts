import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { createBreaker } from "./breaker.ts";
import { judge, type TicketFacts } from "./facts.ts";
import { type Asked, askJson } from "./http.ts";
import type { TicketQuestion, TicketSystem } from "./system.ts";

/** What is known of tickets, and how it is found out. */
export type TicketLookups = {
  /** What is known at once: from the reference's form, or from an answer that is still fresh. */
  known(question: TicketQuestion): TicketFacts | undefined;
  /**
   * What the system says, within the budget or `withinMs`, whichever is less; undefined when it is down,
   * slow or speaks nonsense. Never throws. The same question asked at one moment is one request.
   */
  lookUp(question: TicketQuestion, withinMs: number): Promise<TicketFacts | undefined>;
  /** Asks without haste, for a write of the past. undefined as above. */
  askAgain(question: TicketQuestion): Promise<TicketFacts | undefined>;
  /** Gives up what is under way. */
  close(): Promise<void>;
};

/** What became of a question: an answer in time, a late one, or why there is none. */
export type LookupOutcome =
  | "answered"
  | "late"
  | Extract<Asked, { kind: "failed" }>["why"]
  | "throttled"
  /** Not asked: the system is left alone for a while, or too many questions are under way. */
  | "not_asked";

export type LookupLimits = {
  /** A request may go on this long, after nobody waits for it: its answer is still good for the next one. */
  readonly ticketRequestMs: number;
  readonly ticketRequestsUnderWay: number;
  readonly ticketFailuresToOpen: number;
  readonly ticketPauseMs: number;
};

/** An answer that refuses a write is soon asked for again: people mend tickets and retry. */
const invalidFreshMs = 5_000;
const cacheMaxTickets = 10_000;

export function createLookups(options: {
  readonly system: TicketSystem;
  readonly budgetMs: number;
  readonly cacheMs: number;
  readonly limits: LookupLimits;
  readonly clock: Clock;
  /** Called for each question that was not answered from the cache; `seconds` of those that were asked. */
  readonly onOutcome: (outcome: LookupOutcome, seconds: number | undefined) => void;
  readonly onPaused: (isPaused: boolean) => void;
  readonly log: Logger;
}): TicketLookups {
  const { system, budgetMs, cacheMs, limits, log } = options;
  const { monotonicMs } = options.clock;
  const cache = new Map<string, { readonly facts: TicketFacts; readonly atMs: number }>();
  const underWay = new Map<string, Promise<TicketFacts | undefined>>();
  const closing = new AbortController();
  const breaker = createBreaker({
    failuresToOpen: limits.ticketFailuresToOpen,
    pauseMs: limits.ticketPauseMs,
    monotonicMs,
    onChange(isOpen) {
      options.onPaused(isOpen);
      if (isOpen) log.warn("the ticket system does not answer in time and is left alone for a while");
      else log.info("the ticket system answers again");
    },
  });

  function fromCache(key: string, question: TicketQuestion): TicketFacts | undefined {
    const entry = cache.get(key);
    if (entry === undefined) return undefined;
    const isValid = judge(entry.facts, question, question.acceptedMicros).kind === "valid";
    const freshMs = isValid ? cacheMs : Math.min(cacheMs, invalidFreshMs);
    return monotonicMs() - entry.atMs < freshMs ? entry.facts : undefined;
  }

  function keep(key: string, facts: TicketFacts): void {
    cache.delete(key); // So that the oldest answer is the first.
    cache.set(key, { facts, atMs: monotonicMs() });
    if (cache.size <= cacheMaxTickets) return;
    for (const oldest of cache.keys()) {
      cache.delete(oldest);
      break;
    }
  }

  /** Asks once. `isUrgent`: a write waits for it, so being late counts against the system. */
  async function ask(question: TicketQuestion, isUrgent: boolean): Promise<TicketFacts | undefined> {
    const startedMs = monotonicMs();
    let isLate = false;
    const lateness = setTimeout(() => {
      isLate = true;
      if (isUrgent) breaker.failed();
    }, budgetMs);
    const asked = await askJson(system.request(question), limits.ticketRequestMs, closing.signal);
    clearTimeout(lateness);
    const facts = asked.kind === "answered" ? system.read(asked.answer, question) : undefined;
    const outcome = outcomeOf(asked, facts, isLate);
    options.onOutcome(outcome, (monotonicMs() - startedMs) / 1000);
    if (outcome === "answered") breaker.succeeded();
    else if (asked.kind === "throttled") breaker.throttled(asked.retryAfterMs);
    else if (isUrgent && !isLate) breaker.failed();
    if (facts === undefined && !closing.signal.aborted) {
      const status = asked.kind === "answered" ? asked.answer.status : asked.status;
      log.warn({ outcome, status }, "the ticket system gave no answer that can be used");
    }
    return facts;
  }

  /** One request for all who ask the same at one moment. */
  function share(
    key: string,
    begin: () => Promise<TicketFacts | undefined>,
  ): Promise<TicketFacts | undefined> {
    const asking = underWay.get(key);
    if (asking !== undefined) return asking;
    const begun = begin().finally(() => underWay.delete(key));
    underWay.set(key, begun);
    return begun;
  }

  return {
    known(question) {
      const key = system.keyOf(question);
      return key === undefined ? { kind: "unusable", why: "not_a_key" } : fromCache(key, question);
    },

    async lookUp(question, withinMs) {
      const key = system.keyOf(question);
      if (key === undefined) return { kind: "unusable", why: "not_a_key" };
      const waitMs = Math.min(budgetMs, withinMs);
      const isFree = underWay.has(key) || underWay.size < limits.ticketRequestsUnderWay;
      if (waitMs <= 0 || !isFree || (!underWay.has(key) && !breaker.mayAsk())) {
        options.onOutcome("not_asked", undefined);
        return undefined;
      }
      const asking = share(key, async () => {
        const facts = await ask(question, true);
        if (facts !== undefined) keep(key, facts);
        return facts;
      });
      return within(asking, waitMs);
    },

    async askAgain(question) {
      const key = system.keyOf(question);
      if (key === undefined) return { kind: "unusable", why: "not_a_key" };
      if (!system.answersAsOf) {
        const known = fromCache(key, question);
        if (known !== undefined) return known;
      }
      if (breaker.isThrottled) return undefined;
      const facts = await ask(question, false);
      if (facts !== undefined && !system.answersAsOf) keep(key, facts);
      return facts;
    },

    async close() {
      closing.abort();
      await Promise.all(underWay.values());
    },
  };
}

function outcomeOf(asked: Asked, facts: TicketFacts | undefined, isLate: boolean): LookupOutcome {
  if (asked.kind === "throttled") return "throttled";
  if (asked.kind === "failed") return asked.why;
  if (facts === undefined) return "garbage";
  return isLate ? "late" : "answered";
}

/** The answer, or undefined when it takes longer. */
async function within<T>(answer: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
