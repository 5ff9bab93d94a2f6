import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import type { Journal } from "../journal/journal.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import type { ActionRow, AppendOutcome } from "./append.ts";
import type { Identities } from "./identity.ts";

/** The ledger's parameters in force (spec 001 §6, §8). */
export type LedgerSettings = {
  readonly mode: "shadow_only" | "enforce";
  readonly retainDays: number;
  readonly scrubOnAccountClose: boolean;
  readonly publishToUser: boolean;
};

/** What the ledger's handlers close over. */
export type LedgerDependencies = {
  readonly settings: () => LedgerSettings;
  readonly journal: Journal<ActionRow, AppendOutcome>;
  readonly sequencer: Sequencer;
  /** For reading. */
  readonly pool: pg.Pool;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly limits: ReadLimits;
  readonly recordId: () => string;
  /** Keys content hashes and tokens. */
  readonly key: KeyObject;
  readonly identities: Identities;
  /** Called for each action that is newly in the ledger. */
  readonly onRecorded: (actionType: string) => void;
};
