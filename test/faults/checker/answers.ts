import type { Call, History } from "../load/history.ts";
import type { Finding } from "./findings.ts";

/** When a replica could not be expected to answer. */
export type Away = ReadonlyMap<string, readonly { readonly fromMs: number; readonly untilMs: number }[]>;

/** Milliseconds between two moments in which the suite stood still, or a replica waited for a core. */
export type Stalled = (replica: string, fromMs: number, toMs: number) => number;

/** A config store waits so long for a verdict (spec 002 §21), and a bot for the ledger (spec 001 §21). */
const checkWriteMs = 500;
/** The service's own budget is the 1,000 ms; this is what its answer has for the way. */
const ledgerMs = 1_000;
/** Connections are back this long after their service, at the latest. */
const reconnectMs = 1_500;

/** Whether what a live service was asked was answered, and in time. */
export function checkAnswers(history: History, away: Away, stalled: Stalled) {
  const findings: Finding[] = [];
  const errors = new Map<string, number>();
  let slowestCheckWriteMs = 0;
  let slowestLedgerMs = 0;
  let checkWrites = 0;
  let unsure = 0;
  for (const call of history.calls) {
    const { answer, method, sentMs } = call;
    if (answer?.kind === "failed" && answer.code !== "ENDED") {
      const name = answer.reason ?? answer.code;
      errors.set(name, (errors.get(name) ?? 0) + 1);
    }
    const isAway = wasAway(call, away);
    if (method === "CheckWrite" && !isAway) checkWrites++;
    if (method === "StreamUserActions" || isAway) continue;
    const limitMs = method === "CheckWrite" ? checkWriteMs : ledgerMs;
    const tookMs = (Number.isNaN(call.answeredMs) ? performance.now() : call.answeredMs) - sentMs;
    const ownMs = tookMs - stalled(call.replica, sentMs, sentMs + tookMs);
    const isUnanswered = answer === undefined || (answer.kind === "failed" && answer.reason === undefined);
    const isLate = tookMs >= limitMs || (isUnanswered && tookMs > 0.95 * limitMs);
    if (isLate && ownMs < 0.95 * limitMs) {
      unsure++;
      continue;
    }
    if (method === "CheckWrite") slowestCheckWriteMs = Math.max(slowestCheckWriteMs, tookMs);
    else slowestLedgerMs = Math.max(slowestLedgerMs, tookMs);
    const at = `${method} ${call.id} sent at ${Math.round(sentMs)} ms`;
    if (tookMs >= limitMs) {
      findings.push({ kind: "late", text: `${at} took ${Math.round(tookMs)} ms` });
    } else if (
      isUnanswered ||
      (method === "CheckWrite" && answer?.kind === "failed" && !isWriteError(answer.reason))
    ) {
      const why = answer?.kind === "failed" ? `${answer.code}: ${answer.message}` : "nothing";
      findings.push({ kind: "unanswered", text: `${at} got ${why} after ${Math.round(tookMs)} ms` });
    }
  }
  return { findings, errors, slowestCheckWriteMs, slowestLedgerMs, checkWrites, unsure };
}

/** What a CheckWrite may be told in place of a verdict: the write is at fault, not the service. */
function isWriteError(reason: string | undefined): boolean {
  return reason === "WRITE_ID_CONFLICT" || reason === "INVALID_FIELD";
}

function wasAway(call: Call, away: Away): boolean {
  const untilMs = Number.isNaN(call.answeredMs) ? Number.POSITIVE_INFINITY : call.answeredMs;
  return (away.get(call.replica) ?? []).some(
    (each) => call.sentMs < each.untilMs + reconnectMs && untilMs > each.fromMs,
  );
}
