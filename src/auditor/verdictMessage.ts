import { Durability } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { situations } from "../plainEnglish.ts";
import { isReasonCode, userMessages } from "../reasonCodes.ts";

/** What a person is told of a verdict: never that a change was recorded when its record is nowhere. */
export function verdictMessage(reasonCode: string, durability: Durability, dryRun: boolean): string {
  const isAllowed = reasonCode === "PARAM_CHANGED" || reasonCode === "BREAK_GLASS_USED";
  if (isAllowed && durability === Durability.NOT_RECORDED) {
    return dryRun ? situations.changeTried.sentence : situations.changeNotRecorded.sentence;
  }
  return isReasonCode(reasonCode) ? userMessages[reasonCode] : "";
}
