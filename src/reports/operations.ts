import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { OperationsReportSchema } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { auditorBotId, operationsTopic } from "../auditor/report.ts";
import { timestampOfMicros } from "../time.ts";
import type { Report } from "./item.ts";
import { madeUlid } from "./madeUlid.ts";
import { placeText, sentenceOf } from "./settlement.ts";
import type { Entry } from "./source.ts";

/** An OperationsReport on the record at this entry (§13). `recordId`: the record's own id, if it has one. */
export function operations(
  entry: Entry,
  eventType: string,
  fields: MessageInitShape<typeof OperationsReportSchema>,
  { recordId, part = 0 }: { readonly recordId?: string; readonly part?: number } = {},
): Report {
  const id = recordId !== undefined && part === 0 ? recordId : madeUlid(entry.micros, placeText(entry, part));
  const report = create(OperationsReportSchema, {
    botId: auditorBotId,
    changedAt: timestampOfMicros(entry.micros),
    reportKind: "OperationsReport",
    topic: operationsTopic,
    ...fields,
    reportId: `ops_parameterchangeauditor_${id}`,
    eventType,
    epoch: BigInt(entry.epoch),
    position: BigInt(entry.position),
    userMessage: sentenceOf(eventType),
  });
  return { kind: "operations", report };
}
