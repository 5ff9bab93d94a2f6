import type { Logger } from "pino";
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
  /** alert_on_p0_change, as it is in force: it silences the page, not the record. */
  readonly alertOnP0Change: () => boolean;
  readonly onP0Alert: () => void;
  /** Called for each decision that was answered NOT_RECORDED. */
  readonly onNotRecorded: () => void;
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

  /** Decisions that were told of before they were on record, which they may come to be. */
  const toldEarly = new Set<string>();

  function decided(row: DecisionRow): void {
    const { reasonCode } = row.decision;
    if (reasonCode === "BREAK_GLASS_USED") say(reasonCode, row);
    if (reasonCode === "AUDIT_TICKET_REQUIRED" || reasonCode === "AUDIT_TICKET_INVALID") say(reasonCode, row);
    p0Changed(row);
  }

  return {
    decided(row) {
      if (!toldEarly.delete(row.recordId)) decided(row);
    },
    ungated: p0Changed,
    notRecorded(row) {
      const reasonCode = "AUDIT_LOG_UNAVAILABLE";
      const { botSlug, paramName } = row.write;
      const about = { reasonCode, decisionId: row.recordId, botSlug, paramName, page: true };
      options.log.error(about, "a decision is not recorded: neither Postgres nor the spool took it in time");
      options.onNotRecorded();
      decided(row);
      toldEarly.add(row.recordId);
      if (toldEarly.size > toldEarlyMax) for (const oldest of toldEarly) return void toldEarly.delete(oldest);
    },
  };
}
