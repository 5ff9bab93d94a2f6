import type { Logger } from "pino";
import type { Raise } from "../alerts/alert.ts";
import { type DecidedFacts, decisionAlert, notRecordedAlert, toldOf } from "../alerts/raised.ts";
import { userMessages } from "../reasonCodes.ts";
import type { DecisionRow } from "./append.ts";

/** What people have to be told of at once; `page: true` marks what wakes them, decisionId folds repeats (R25). */
export type Alerts = {
  /** Of a decision that is newly on record. */
  decided(row: DecisionRow): void;
  /** Of a write without a verdict that is newly on record. */
  ungated(row: DecisionRow): void;
  /** Of a decision that nobody made durable in time; somebody may still, and then nothing is told again. */
  notRecorded(row: DecisionRow): void;
};

const toldEarlyMax = 10_000;

export function createAlerts(options: {
  readonly log: Logger;
  readonly raise: Raise;
  /** alert_on_p0_change, as it is in force: it silences the page, not the record. */
  readonly alertOnP0Change: () => boolean;
  readonly onP0Alert: () => void;
  /** Called for each decision that was answered NOT_RECORDED. */
  readonly onNotRecorded: () => void;
}): Alerts {
  /** Told in the log too, where `page` marks what people were alerted of. */
  function decided(row: DecisionRow): void {
    const { recordedBy } = row;
    const facts = factsOf(row);
    for (const { reasonCode, page } of toldOf(facts, options.alertOnP0Change())) {
      const { decisionId, botSlug, paramName, tier: paramTier, allowed, automated } = facts;
      const about = { reasonCode, decisionId, botSlug, paramName, paramTier, recordedBy };
      options.log.warn({ ...about, allowed, automated, page }, userMessages[reasonCode]);
      if (reasonCode === "P0_PARAMETER_CHANGED") options.onP0Alert();
      if (page) options.raise(decisionAlert(reasonCode, facts));
    }
  }

  /** Decisions that were told of before they were on record, which they may come to be. */
  const toldEarly = new Set<string>();

  return {
    decided(row) {
      if (!toldEarly.delete(row.recordId)) decided(row);
    },
    ungated: decided,
    notRecorded(row) {
      const reasonCode = "AUDIT_LOG_UNAVAILABLE";
      const { botSlug, paramName } = row.write;
      const about = { reasonCode, decisionId: row.recordId, botSlug, paramName, page: true };
      options.log.error(about, "a decision is not recorded: neither Postgres nor the spool took it in time");
      options.raise(notRecordedAlert(factsOf(row)));
      options.onNotRecorded();
      decided(row);
      toldEarly.add(row.recordId);
      if (toldEarly.size > toldEarlyMax) for (const oldest of toldEarly) return void toldEarly.delete(oldest);
    },
  };
}

function factsOf({ recordId, acceptedMicros, write, decision, automated }: DecisionRow): DecidedFacts {
  const { botSlug, paramName } = write;
  const { tier, allowed, reasonCode } = decision;
  return { decisionId: recordId, acceptedMicros, botSlug, paramName, tier, allowed, automated, reasonCode };
}
