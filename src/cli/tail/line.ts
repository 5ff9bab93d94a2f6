import { styleText } from "node:util";
import type {
  OperationsReport,
  SettlementReport,
} from "../../../gen/ts/polytraders/governance/v1/report_pb.ts";
import type { StreamReportsResponse } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { isReasonCode, reasonCodes } from "../../reasonCodes.ts";
import { timeText } from "../list/pages.ts";
import { cut, pad, shown } from "../output/cell.ts";

const typeWidth = 25;
const textMaxWidth = 200;

/** A report on one line: when, what, who, and what about. In colours where stdout is a terminal. */
export function lineOf({ at, report }: StreamReportsResponse): string {
  switch (report.case) {
    case "settlement":
      return lineFrom(
        report.value.recordedAt,
        report.value.eventType,
        report.value.recordedBy,
        aboutAction(report.value),
      );
    case "operations": {
      const { editorId, recordedBy } = report.value;
      const who = editorId === "" || editorId === recordedBy ? recordedBy : `${editorId} by ${recordedBy}`;
      return lineFrom(report.value.changedAt, report.value.eventType, who, aboutChange(report.value));
    }
    case "omitted": {
      const { firstPosition, lastPosition, records, reason } = report.value;
      const from = firstPosition === lastPosition ? "" : `${firstPosition} to `;
      return `-- ${records} records at ${from}${lastPosition} of epoch ${at?.epoch} are not told: ${reason}`;
    }
    default:
      return "";
  }
}

function lineFrom(
  time: SettlementReport["recordedAt"],
  eventType: string,
  who: string,
  about: string,
): string {
  const type = colour(eventType, pad(shown(eventType), typeWidth));
  return [
    styleText("dim", timeText(time)),
    type,
    who === "" ? "-" : shown(who),
    cut(shown(about), textMaxWidth),
  ]
    .join("  ")
    .trimEnd();
}

function colour(eventType: string, text: string): string {
  const severity = isReasonCode(eventType) ? reasonCodes[eventType].severity : "INFO";
  if (severity === "HARD_REJECT") return styleText("red", text);
  return severity === "WARN" ? styleText("yellow", text) : styleText("cyan", text);
}

function aboutAction(report: SettlementReport): string {
  return words([
    report.actionType,
    named("wallet", report.walletAddress),
    named("session", report.sessionId),
    named("event", report.eventId),
    named("fill", report.fillId),
    named("trace", report.traceId),
    report.actionParamsJson,
    report.detailsJson,
  ]);
}

function aboutChange(report: OperationsReport): string {
  const { oldValueJson: before, newValueJson: after } = report;
  const change =
    before === undefined && after === undefined ? "" : `${before ?? "nothing"} -> ${after ?? "nothing"}`;
  const parameter = report.auditedBot === "" ? "" : `${report.auditedBot}.${report.paramName}`;
  return words([
    parameter,
    change,
    report.paramTier,
    named("ticket", report.ticketRef ?? ""),
    named("env", report.environment ?? ""),
    report.detailsJson,
  ]);
}

function named(name: string, value: string): string {
  return value === "" ? "" : `${name}=${value}`;
}

function words(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== "").join(" ");
}
