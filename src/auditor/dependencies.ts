import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { Logger } from "pino";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import type { Journal } from "../journal/journal.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import type { DecisionOutcome, DecisionRow } from "./append.ts";
import type { Policy } from "./policy.ts";

/** What the auditor's handlers close over. */
export type AuditorDependencies = {
  /** The policy in force. */
  readonly policy: () => Policy;
  readonly journal: Journal<DecisionRow, DecisionOutcome>;
  readonly sequencer: Sequencer;
  /** For reading. */
  readonly pool: pg.Pool;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly limits: ReadLimits;
  readonly recordId: () => string;
  /** Keys content hashes and tokens. */
  readonly key: KeyObject;
  /** Called for each decision that is newly on record. */
  readonly onDecided: (row: DecisionRow) => void;
  readonly log: Logger;
};
