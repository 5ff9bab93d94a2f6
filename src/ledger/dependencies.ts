import type { KeyObject } from "node:crypto";
import type pg from "pg";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import type { Journal } from "../journal/journal.ts";
import type { Replicas } from "../log/replicas.ts";
import type { ReadLimits, Sequencer } from "../log/sequencer.ts";
import type { ActionRow, AppendOutcome } from "./append.ts";
import type { FillOutcome, FillRow } from "./fills/append.ts";
import type { Identities } from "./identity.ts";
import type { RecordedAs } from "./recorded.ts";
import type { LedgerRetention } from "./retention.ts";
import type { Scrubber } from "./scrub/scrubber.ts";

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
  readonly fillJournal: Journal<FillRow, FillOutcome>;
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
  readonly identities: Identities;
  readonly scrubber: Scrubber;
  /** Until when stored records are kept. */
  readonly retention: LedgerRetention;
  /** Called for each action that is newly in the ledger. */
  readonly onRecorded: (recorded: RecordedAs) => void;
};
