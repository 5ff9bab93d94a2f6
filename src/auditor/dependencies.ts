import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { Logger } from "pino";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import type { Journal } from "../journal/journal.ts";
import type { Replicas } from "../log/replicas.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import type { TicketLookups } from "../tickets/lookups.ts";
import type { DecisionOutcome, DecisionRow } from "./append.ts";
import type { ConfirmationAnswer, ConfirmationRow } from "./history/confirm.ts";
import type { DriftRow } from "./history/drift.ts";
import type { Policy } from "./policy.ts";
import type { Masking } from "./secrets/masking.ts";

/** What the auditor's handlers close over. */
export type AuditorDependencies = {
  /** The policy in force. */
  readonly policy: () => Policy;
  /** The ticket system in use; undefined: none is configured, and references are not checked. */
  readonly tickets: () => TicketLookups | undefined;
  readonly journal: Journal<DecisionRow, DecisionOutcome>;
  readonly confirmations: Journal<ConfirmationRow, ConfirmationAnswer>;
  readonly drifts: Journal<DriftRow, undefined>;
  readonly sequencer: Sequencer;
  readonly replicas: Replicas;
  /** For reading. */
  readonly pool: pg.Pool;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly limits: ReadLimits;
  readonly recordId: () => string;
  /** Keys content hashes and tokens. */
  readonly key: KeyObject;
  /** Takes secrets out of what comes in. */
  readonly masking: Masking;
  /** Called for each decision that is newly on record. */
  readonly onDecided: (row: DecisionRow) => void;
  /** Called for each decision whose record the store did not take in time. */
  readonly onNotRecorded: (row: DecisionRow) => void;
  /** Called for each write without a verdict that is newly on record. */
  readonly onUngated: (row: DecisionRow) => void;
  /** Called with how many drifts are newly on record. */
  readonly onDrift: (drifts: number) => void;
  readonly log: Logger;
};
