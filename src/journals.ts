import type { Logger } from "pino";
import { appendAccess, hashedAccess, type NewAccessRow } from "./access/accessLog.ts";
import { appendDecisions, type DecisionOutcome, type DecisionRow } from "./auditor/append.ts";
import {
  appendConfirmations,
  type ConfirmationAnswer,
  type ConfirmationRow,
} from "./auditor/history/confirm.ts";
import { appendDrifts, type DriftRow } from "./auditor/history/drift.ts";
import type { Limits } from "./config.ts";
import type { Connection } from "./db/pool.ts";
import { createJournal, type Journal } from "./journal/journal.ts";
import { type ActionRow, type AppendOutcome, appendActions } from "./ledger/append.ts";
import { createClosedWallets } from "./ledger/closed.ts";
import { appendFills, type FillOutcome, type FillRow } from "./ledger/fills/append.ts";
import { hashedFill } from "./ledger/fills/storeFills.ts";
import { hashedAction } from "./ledger/storeActions.ts";

/** What makes each kind of record durable. */
export type Journals = AsyncDisposable & {
  readonly actions: Journal<ActionRow, AppendOutcome>;
  readonly fills: Journal<FillRow, FillOutcome>;
  readonly decisions: Journal<DecisionRow, DecisionOutcome>;
  readonly confirmations: Journal<ConfirmationRow, ConfirmationAnswer>;
  readonly drifts: Journal<DriftRow, undefined>;
  readonly access: Journal<NewAccessRow, undefined>;
};

export function openJournals(options: {
  readonly connection: Connection;
  readonly limits: Limits;
  readonly log: Logger;
  /** Called with a journal's name once; then for each batch of it that was tried. */
  readonly onBatch: (journal: string) => (rows: number, durationMs: number) => void;
}): Journals {
  const { connection, limits, log, onBatch } = options;
  const closed = createClosedWallets();
  const shared = (name: string) => ({
    connection,
    name,
    onBatch: onBatch(name),
    maxRows: limits.batchMaxRows,
    log,
  });
  const journals = {
    actions: createJournal<ActionRow, AppendOutcome>({
      ...shared("ledger"),
      write: closed.hashing(appendActions, hashedAction),
      acceptedMicros: (row) => row.acceptedMicros,
      tables: ["ledger.user_action", "ledger.fill_link"],
      lanes: limits.ledgerLanes,
      budgetMs: limits.ledgerStoreBudgetMs,
    }),
    fills: createJournal<FillRow, FillOutcome>({
      ...shared("fills"),
      write: closed.hashing(appendFills, hashedFill),
      acceptedMicros: (row) => row.acceptedMicros,
      tables: ["ledger.fill_report"],
      lanes: limits.ledgerLanes,
      budgetMs: limits.ledgerStoreBudgetMs,
    }),
    decisions: createJournal<DecisionRow, DecisionOutcome>({
      ...shared("auditor"),
      write: appendDecisions,
      acceptedMicros: (row) => row.acceptedMicros,
      tables: ["auditor.parameter_change"],
      lanes: limits.auditorLanes,
      budgetMs: limits.auditorStoreBudgetMs,
    }),
    confirmations: createJournal<ConfirmationRow, ConfirmationAnswer>({
      ...shared("confirmations"),
      write: appendConfirmations,
      acceptedMicros: (row) => row.confirmedMicros,
      tables: ["auditor.confirmation"],
      lanes: 1,
      budgetMs: limits.auditorStoreBudgetMs,
    }),
    drifts: createJournal<DriftRow, undefined>({
      ...shared("drifts"),
      write: appendDrifts,
      acceptedMicros: (row) => row.acceptedMicros,
      tables: ["auditor.config_drift"],
      lanes: 1,
      budgetMs: limits.driftStoreBudgetMs,
    }),
    access: createJournal<NewAccessRow, undefined>({
      ...shared("access"),
      write: closed.hashing(appendAccess, hashedAccess),
      acceptedMicros: (row) => row.atMicros,
      tables: ["access.read_log"],
      lanes: 1,
      budgetMs: limits.ledgerStoreBudgetMs,
    }),
  };
  return {
    ...journals,
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(journals).map((journal) => journal.close()));
    },
  };
}
