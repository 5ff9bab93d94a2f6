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
import type { ExactJson } from "./exact/json.ts";
import { createJournal, type Journal } from "./journal/journal.ts";
import type { Outages } from "./journal/outages.ts";
import type { SpoolBot } from "./journal/spool/entry.ts";
import type { Spool } from "./journal/spool/spool.ts";
import {
  spoolAccess,
  spoolActions,
  spoolConfirmations,
  spoolDecisions,
  spoolFills,
} from "./journal/spoolings.ts";
import type { JournalTrace } from "./journal/trace.ts";
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
  /** Makes all of them ready, as far as the database lets it: without it the first calls take longer. */
  warm(): Promise<void>;
};

export function openJournals(options: {
  readonly connection: Connection;
  readonly limits: Limits;
  readonly spool: Spool;
  readonly outages: Outages;
  /** Called when records were drained, for their places in the log and what follows from them. */
  readonly onDrained: () => void;
  readonly log: Logger;
  /** Called with a journal's name once; then for each batch of it that was tried. */
  readonly onBatch: (journal: string) => (rows: number, durationMs: number) => void;
  /** Called likewise; absent or answered with undefined: nobody traces. */
  readonly traceOf?: (journal: string) => JournalTrace | undefined;
}): Journals {
  const { connection, limits, spool, outages, onDrained, log, onBatch, traceOf } = options;
  const closed = createClosedWallets();
  const shared = (name: string) => ({
    connection,
    onBatch: onBatch(name),
    trace: traceOf?.(name),
    maxRows: limits.batchMaxRows,
    log,
  });
  const spooled = (bot: SpoolBot) => ({
    onSpooled: () => outages.spooled(bot),
    onEmpty: () => outages.drained(bot),
    onDrained,
  });
  const ledger = spooled("gov.useractivityledger");
  const auditor = spooled("gov.parameterchangeauditor");
  const journals = {
    actions: createJournal<ActionRow, AppendOutcome>({
      ...shared("ledger"),
      ...ledger,
      of: {
        name: "ledger",
        write: closed.hashing(appendActions, hashedAction),
        bytesOf: ({ action }) => bytesOf(action.params),
        acceptedMicros: (row) => row.acceptedMicros,
        tables: ["ledger.user_action", "ledger.fill_link"],
      },
      spooling: spoolActions(spool),
      lanes: limits.ledgerLanes,
      budgetMs: limits.ledgerStoreBudgetMs,
    }),
    fills: createJournal<FillRow, FillOutcome>({
      ...shared("fills"),
      ...ledger,
      of: {
        name: "fills",
        write: closed.hashing(appendFills, hashedFill),
        bytesOf: ({ report }) => bytesOf(report.raw),
        acceptedMicros: (row) => row.acceptedMicros,
        tables: ["ledger.fill_report"],
      },
      spooling: spoolFills(spool),
      lanes: limits.ledgerLanes,
      budgetMs: limits.ledgerStoreBudgetMs,
    }),
    decisions: createJournal<DecisionRow, DecisionOutcome>({
      ...shared("auditor"),
      ...auditor,
      of: {
        name: "auditor",
        write: appendDecisions,
        bytesOf: ({ write }) => bytesOf(write.oldValue) + bytesOf(write.newValue),
        acceptedMicros: (row) => row.acceptedMicros,
        tables: ["auditor.parameter_change"],
      },
      spooling: spoolDecisions(spool),
      isStrictlyOrdered: true,
      lanes: limits.auditorLanes,
      budgetMs: limits.auditorStoreBudgetMs,
    }),
    confirmations: createJournal<ConfirmationRow, ConfirmationAnswer>({
      ...shared("confirmations"),
      ...auditor,
      of: {
        name: "confirmations",
        write: appendConfirmations,
        acceptedMicros: (row) => row.confirmedMicros,
        tables: ["auditor.confirmation"],
      },
      spooling: spoolConfirmations(spool, "auditor"),
      lanes: 1,
      budgetMs: limits.auditorStoreBudgetMs,
    }),
    drifts: createJournal<DriftRow, undefined>({
      ...shared("drifts"),
      of: {
        name: "drifts",
        write: appendDrifts,
        acceptedMicros: (row) => row.acceptedMicros,
        tables: ["auditor.config_drift"],
      },
      lanes: 1,
      budgetMs: limits.driftStoreBudgetMs,
    }),
    access: createJournal<NewAccessRow, undefined>({
      ...shared("access"),
      ...ledger,
      of: {
        name: "access",
        write: closed.hashing(appendAccess, hashedAccess),
        acceptedMicros: (row) => row.atMicros,
        tables: ["access.read_log"],
      },
      spooling: spoolAccess(spool),
      lanes: 1,
      budgetMs: limits.ledgerStoreBudgetMs,
    }),
  };
  return {
    ...journals,
    async warm() {
      const warmed = await Promise.allSettled(Object.values(journals).map((journal) => journal.warm()));
      const cold = warmed.filter(({ status }) => status === "rejected").length;
      if (cold > 0) log.info({ cold }, "journals could not be made ready; their first calls do it");
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Object.values(journals).map((journal) => journal.close()));
    },
  };
}

function bytesOf(value: ExactJson | null): number {
  return value === null ? 0 : value.text.length + value.canonical.length;
}
