import type { Logger } from "pino";
import type { Raise } from "../alerts/alert.ts";
import { killSwitchAlert } from "../alerts/raised.ts";
import { userMessages } from "../reasonCodes.ts";
import type { ActionRow } from "./append.ts";

/** What is told of an action once it is newly in the ledger. */
export type RecordedAs = Pick<ActionRow, "action" | "recordId" | "acceptedMicros">;

/** Counts recorded actions, says aloud that a kill switch was used (R19), and has closed accounts looked at. */
export function createRecorded(to: {
  readonly log: Logger;
  readonly raise: Raise;
  readonly onAction: (actionType: string) => void;
  readonly onKillSwitch: () => void;
  readonly onAccountClose: () => void;
}): (recorded: RecordedAs) => void {
  return ({ action: { actionType, eventId, sessionId }, recordId, acceptedMicros }) => {
    to.onAction(actionType);
    if (actionType === "ACCOUNT_CLOSE") to.onAccountClose();
    if (actionType !== "KILL_SWITCH") return;
    const reasonCode = "KILL_SWITCH_ACTIVE";
    to.log.warn({ reasonCode, page: true, eventId, sessionId }, userMessages[reasonCode]);
    to.raise(killSwitchAlert(recordId, acceptedMicros));
    to.onKillSwitch();
  };
}
