import type { Logger } from "pino";
import { userMessages } from "../reasonCodes.ts";
import type { DecisionRow } from "./append.ts";

/** What people have to be told of at once; `page: true` marks what wakes them, decisionId folds repeats (R25). */
export type Alerts = {
  /** Of a decision that is newly on record. */
  decided(row: DecisionRow): void;
  /** Of a write without a verdict that is newly on record. */
  ungated(row: DecisionRow): void;
  /** Of a decision whose record did not reach the store in time; it may still. */
  notRecorded(row: DecisionRow): void;
};

export function createAlerts(options: {
  readonly log: Logger;
  /** alert_on_p0_change, as it is in force: it silences the page, not the record. */
  readonly alertOnP0Change: () => boolean;
  readonly onP0Alert: () => void;
}): Alerts {
  const say = (
    reasonCode:
      | "P0_PARAMETER_CHANGED"
      | "BREAK_GLASS_USED"
      | "AUDIT_TICKET_REQUIRED"
      | "AUDIT_TICKET_INVALID",
    { recordId, write, decision, recordedBy, automated }: DecisionRow,
  ) => {
    const { botSlug, paramName } = write;
    const about = {
      reasonCode,
      decisionId: recordId,
      botSlug,
      paramName,
      paramTier: decision.tier,
      recordedBy,
    };
    // Nobody is paged for automation (R16).
    const page = !automated || reasonCode === "BREAK_GLASS_USED";
    options.log.warn({ ...about, allowed: decision.allowed, page }, userMessages[reasonCode]);
  };

  function p0Changed(row: DecisionRow): void {
    const { tier, allowed } = row.decision;
    if (tier !== "P0" || !allowed || row.automated || !options.alertOnP0Change()) return;
    options.onP0Alert();
    say("P0_PARAMETER_CHANGED", row);
  }

  return {
    decided(row) {
      const { reasonCode } = row.decision;
      if (reasonCode === "BREAK_GLASS_USED") say(reasonCode, row);
      if (reasonCode === "AUDIT_TICKET_REQUIRED" || reasonCode === "AUDIT_TICKET_INVALID")
        say(reasonCode, row);
      p0Changed(row);
    },
    ungated: p0Changed,
    notRecorded(row) {
      if (row.decision.reasonCode === "BREAK_GLASS_USED") say("BREAK_GLASS_USED", row);
    },
  };
}
