import type { Logger } from "pino";
import { userMessages } from "../reasonCodes.ts";
import type { Action } from "./action.ts";

/** What is told of an action once it is newly in the ledger. */
export type RecordedAs = Pick<Action, "actionType" | "eventId" | "sessionId">;

/** Counts recorded actions, says aloud that a kill switch was used (R19), and has closed accounts looked at. */
export function createRecorded(to: {
  readonly log: Logger;
  readonly onAction: (actionType: string) => void;
  readonly onKillSwitch: () => void;
  readonly onAccountClose: () => void;
}): (action: RecordedAs) => void {
  return ({ actionType, eventId, sessionId }) => {
    to.onAction(actionType);
    if (actionType === "ACCOUNT_CLOSE") to.onAccountClose();
    if (actionType !== "KILL_SWITCH") return;
    const reasonCode = "KILL_SWITCH_ACTIVE";
    to.log.warn({ reasonCode, eventId, sessionId }, userMessages[reasonCode]);
    to.onKillSwitch();
  };
}
