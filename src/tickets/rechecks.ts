import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Logger } from "pino";
import type { Raise } from "../alerts/alert.ts";
import { recheckAlert } from "../alerts/raised.ts";
import type { Clock } from "../clock.ts";
import { sqlState } from "../db/pool.ts";
import { isAway } from "../db/read.ts";
import { userMessages } from "../reasonCodes.ts";
import { judge, type TicketFacts } from "./facts.ts";
import type { TicketLookups } from "./lookups.ts";
import { inTurn, type Pending, type Recheck, readPending, storeRecheck } from "./recheckStore.ts";

/** After this long the question is given up, and the record says so. */
const giveUpAfterMicros = 7 * 86_400_000_000;
/** Failures in a row after which the system is left alone until the next round. */
const failuresMax = 3;
/** While it does not answer, rounds come ever more rarely, up to this many times the usual pause. */
const pauseGrowthMax = 10;

/**
 * Asks again about the tickets of writes that were let through unverified (R7), as of the time they were
 * accepted, and records what came out. What is pending is found in the database, so it survives a restart;
 * one replica at a time asks. Disposing stops it.
 */
export function startRechecks(options: {
  readonly pool: pg.Pool;
  /** undefined: no ticket system is configured now; what is pending waits for one, and is given up in time. */
  readonly lookups: () => TicketLookups | undefined;
  readonly clock: Clock;
  readonly recordId: () => string;
  readonly everyMs: number;
  /** Called for each write whose ticket this replica settled, once that is on record. */
  readonly onSettled: (recheck: Recheck) => void;
  readonly raise: Raise;
  readonly log: Logger;
}): AsyncDisposable {
  const { pool, clock, log } = options;
  const closing = new AbortController();

  /** Answers whether the system answered, as far as it was asked. */
  async function round(pending: readonly Pending[]): Promise<boolean> {
    const lookups = options.lookups();
    let failures = 0;
    for (const one of pending) {
      if (closing.signal.aborted) break;
      const isOver = clock.nowMicros() - one.acceptedMicros > giveUpAfterMicros;
      if (isOver) {
        await settle(one, { status: "UNKNOWN", why: "no_answer" });
        continue;
      }
      if (lookups === undefined || failures >= failuresMax) continue;
      const facts = await lookups.askAgain(one);
      if (facts === undefined) failures++;
      else {
        failures = 0;
        await settle(one, outcomeOf(facts, one));
      }
    }
    return failures === 0;
  }

  async function settle(pending: Pending, outcome: Pick<Recheck, "status" | "why">): Promise<void> {
    const recheck = {
      ...pending,
      ...outcome,
      checkedMicros: clock.nowMicros(),
      recordId: options.recordId(),
    };
    // Whoever was faster settled it, and told of it.
    if (!(await storeRecheck(pool, recheck))) return;
    options.onSettled(recheck);
    if (recheck.status !== "INVALID") return;
    const reasonCode = "AUDIT_TICKET_INVALID";
    const { decisionId, botSlug, paramName, why, automated } = recheck;
    const page = !automated; // R16
    log.warn({ reasonCode, decisionId, botSlug, paramName, why, page }, userMessages[reasonCode]);
    if (page) options.raise(recheckAlert(recheck));
  }

  async function run(): Promise<void> {
    let pauseMs = options.everyMs;
    for (;;) {
      await sleep(pauseMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      if (closing.signal.aborted) return;
      try {
        const isAnswering = await inTurn(pool, async (client) => round(await readPending(client)));
        pauseMs = isAnswering ? options.everyMs : Math.min(pauseMs * 2, options.everyMs * pauseGrowthMax);
      } catch (cause) {
        if (isAway(cause))
          log.warn({ code: sqlState(cause) }, "unverified tickets cannot be read or settled now");
        else log.error({ err: cause }, "unverified tickets could not be asked about");
      }
    }
  }

  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await running;
    },
  };
}

function outcomeOf(facts: TicketFacts, pending: Pending): Pick<Recheck, "status" | "why"> {
  const judgement = judge(facts, pending, pending.acceptedMicros);
  if (judgement.kind === "valid") return { status: "VALID", why: null };
  const { why } = judgement;
  // Closed by now is no proof that it was closed then.
  return { status: why === "closed_since_unknown" ? "UNKNOWN" : "INVALID", why };
}
