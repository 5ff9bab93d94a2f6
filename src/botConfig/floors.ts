import type { Logger } from "pino";
import { userMessages } from "../reasonCodes.ts";
import type { InForce } from "./inForce.ts";

/** A start-up value below a floor does not stop the service; it is said loudly (R2, R3). */
export function warnOfFloors({ values }: InForce, log: Logger): void {
  const { retain_days: retainDays } = values["gov.useractivityledger"];
  if (retainDays < 2555) {
    const reasonCode = "RETENTION_BELOW_REGULATORY_MINIMUM";
    log[retainDays < 1825 ? "error" : "warn"]({ reasonCode, retainDays }, userMessages[reasonCode]);
  }
  const { retain_history_days: retainHistoryDays } = values["gov.parameterchangeauditor"];
  if (retainHistoryDays < 90) {
    const reasonCode = "AUDIT_RETENTION_WARN";
    log.warn({ reasonCode, retainHistoryDays }, userMessages[reasonCode]);
  }
}
