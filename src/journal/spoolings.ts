import type { NewAccessRow } from "../access/accessLog.ts";
import type { DecisionOutcome, DecisionRow } from "../auditor/append.ts";
import type { ConfirmationAnswer, ConfirmationRow } from "../auditor/history/confirm.ts";
import type { ExactJson } from "../exact/json.ts";
import type { ActionRow, AppendOutcome } from "../ledger/append.ts";
import type { FillOutcome, FillRow } from "../ledger/fills/append.ts";
import type { Spool } from "./spool/spool.ts";
import { hasMembers, type Spooling } from "./spooled.ts";

const ledger = "gov.useractivityledger";
const auditor = "gov.parameterchangeauditor";

/** User actions keep the order of their wallet's session. */
export function spoolActions(spool: Spool): Spooling<ActionRow, AppendOutcome> {
  return {
    spool,
    bot: ledger,
    orderKey: ({ action }) => `a ${action.wallet.toLowerCase()} ${action.sessionId}`,
    acceptedMicros: (row) => row.acceptedMicros,
    // Content hashes are made; the canonical form is of no more use.
    lean: (row) => ({ ...row, action: { ...row.action, params: withoutCanonical(row.action.params) } }),
    restore: (spooled) =>
      hasMembers<ActionRow>(spooled, ["action", "recordId", "acceptedMicros", "contentHash", "wallets"])
        ? spooled
        : undefined,
    settle({ recordId }, outcome) {
      // Its own id: the answer to its first commit was lost on the way.
      if (outcome.kind === "recorded" || outcome.recordId === recordId) return { as: "flushed" };
      const ids = { recordId, firstRecordId: outcome.recordId };
      return { as: outcome.kind === "duplicate" ? "folded" : "conflicting", ids };
    },
  };
}

/** Whatever order fills come in, the same is known at last; the reports of one fill stay in order all the same. */
export function spoolFills(spool: Spool): Spooling<FillRow, FillOutcome> {
  return {
    spool,
    bot: ledger,
    orderKey: ({ report }) => `f ${report.fillId}`,
    acceptedMicros: (row) => row.acceptedMicros,
    lean: (row) => ({ ...row, report: { ...row.report, raw: withoutCanonical(row.report.raw) } }),
    restore: (spooled) =>
      hasMembers<FillRow>(spooled, ["report", "recordId", "acceptedMicros", "contentHash", "wallets"])
        ? spooled
        : undefined,
    settle: (_, { kind }) => ({ as: kind === "recorded" ? "flushed" : "folded" }),
  };
}

/** Decisions keep the order of their parameter; what becomes of a write follows its decision. */
export function spoolDecisions(spool: Spool): Spooling<DecisionRow, DecisionOutcome> {
  return {
    spool,
    bot: auditor,
    orderKey: ({ write }) => `c ${write.botKey}.${write.paramKey}`,
    ownKey: ({ recordId }) => confirmationKey(recordId),
    acceptedMicros: (row) => row.acceptedMicros,
    restore: (spooled) =>
      hasMembers<DecisionRow>(spooled, ["write", "decision", "recordId", "acceptedMicros", "contentHash"])
        ? spooled
        : undefined,
    settle(row, outcome) {
      if (outcome.kind === "recorded" || outcome.recordId === row.recordId) return { as: "flushed" };
      const ids = { recordId: row.recordId, firstRecordId: outcome.recordId };
      if (outcome.kind === "replayed") return { as: "folded", ids };
      // The write was allowed to go ahead: history has it, without the write id that is another's.
      return { as: "conflicting", ids, again: { ...row, write: { ...row.write, writeId: null } } };
    },
  };
}

/** How long a confirmation waits for a decision that may be in another replica's spool. */
const decisionMayComeMicros = 3_600_000_000;

export function spoolConfirmations(
  spool: Spool,
  decisions: string,
): Spooling<ConfirmationRow, ConfirmationAnswer> {
  return {
    spool,
    bot: auditor,
    orderKey: ({ decisionId }) => confirmationKey(decisionId),
    acceptedMicros: (row) => row.confirmedMicros,
    behind: decisions,
    restore: (spooled) =>
      hasMembers<ConfirmationRow>(spooled, ["decisionId", "outcome", "confirmedBy", "confirmedMicros"])
        ? spooled
        : undefined,
    settle(row, { kind }) {
      if (kind === "confirmed") return { as: "flushed" };
      if (kind === "unknown" && Date.now() * 1000 - row.confirmedMicros < decisionMayComeMicros)
        return undefined;
      return { as: "conflicting" };
    },
  };
}

function confirmationKey(decisionId: string): string {
  return `d ${decisionId}`;
}

/** Rows of the access log: what was refused while the database was away is on record too. */
export function spoolAccess(spool: Spool): Spooling<NewAccessRow, undefined> {
  return {
    spool,
    bot: ledger,
    orderKey: ({ subject }) => `x ${subject}`,
    acceptedMicros: (row) => row.atMicros,
    restore: (spooled) =>
      hasMembers<NewAccessRow>(spooled, ["atMicros", "requestId", "subject", "method", "wallets"])
        ? spooled
        : undefined,
    settle: () => ({ as: "flushed" }),
  };
}

function withoutCanonical(value: ExactJson | null): ExactJson | null {
  return value && { ...value, canonical: "" };
}
