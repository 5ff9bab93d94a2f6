import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { SettlementReportSchema } from "../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { ledgerBotId, settlementTopic } from "../ledger/report.ts";
import { isReasonCode, userMessages } from "../reasonCodes.ts";
import { timestampOfMicros } from "../time.ts";
import type { Report } from "./item.ts";
import { madeUlid } from "./madeUlid.ts";
import type { Entry } from "./source.ts";

/** What a sentence for people there is of an event type. */
export function sentenceOf(eventType: string): string {
  return isReasonCode(eventType) ? userMessages[eventType] : "";
}

/** The place in words, for ids that follow from it. */
export function placeText(entry: Entry, part = 0): string {
  return `${entry.epoch} ${entry.xid} ${entry.ord} ${entry.source} ${part}`;
}

/** A SettlementReport on the record at this entry (§13). `recordId`: the record's own id, if it has one. */
export function settlement(
  entry: Entry,
  eventType: string,
  fields: MessageInitShape<typeof SettlementReportSchema>,
  { recordId, part = 0 }: { readonly recordId?: string; readonly part?: number } = {},
): Report {
  const id = recordId !== undefined && part === 0 ? recordId : madeUlid(entry.micros, placeText(entry, part));
  const report = create(SettlementReportSchema, {
    botId: ledgerBotId,
    recordedAt: timestampOfMicros(entry.micros),
    reportKind: "SettlementReport",
    topic: settlementTopic,
    ...fields,
    reportId: `stl_useractivityledger_${id}`,
    eventType,
    epoch: BigInt(entry.epoch),
    position: BigInt(entry.position),
    userMessage: sentenceOf(eventType),
  });
  return { kind: "settlement", report };
}
