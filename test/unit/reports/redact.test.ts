import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  OperationsReportSchema,
  SettlementReportSchema,
} from "../../../gen/ts/polytraders/governance/v1/report_pb.ts";
import { StreamReportsResponseSchema } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { exactToStruct, exactToValue } from "../../../src/exact/value.ts";
import type { Item } from "../../../src/reports/item.ts";
import { redactedMessage } from "../../../src/reports/redact.ts";

const digits = "deadbeefcafe00112233445566778899aabbccdd";

function itemOf(report: Parameters<typeof create<typeof StreamReportsResponseSchema>>[1]): Item {
  const message = create(StreamReportsResponseSchema, report);
  return { position: 1, part: 0, topic: "polytraders.reports.settlement", filtered: undefined, message };
}

const spelt = fc.constantFrom(
  `0x${digits}`,
  digits.toUpperCase(),
  `a-${digits}-b`,
  `0x${"0".repeat(24)}${digits}`,
  `scrubbed:0123456789abcdef:${"ab".repeat(32)}`,
);
const names = (text: string) => /deadbeefcafe0011|scrubbed:/i.test(text);

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one));
}

test("a wallet in any text of a SettlementReport is taken out", () => {
  const field = fc.constantFrom(
    "walletAddress",
    "sessionId",
    "traceId",
    "eventId",
    "recordedBy",
    "fillId",
    "inexact",
    "fillIds",
    "params",
    "details",
  );
  fc.assert(
    fc.property(field, spelt, (where, wallet) => {
      const json = JSON.stringify({ [wallet]: [wallet, { deep: wallet }] });
      const value = {
        ...(where === "params" ? { actionParamsJson: json, actionParams: exactToStruct(json) ?? {} } : {}),
        ...(where === "details" ? { detailsJson: json } : {}),
        ...(where === "inexact" || where === "fillIds" ? { [where]: [wallet] } : { [where]: wallet }),
      };
      const item = itemOf({ report: { case: "settlement", value: create(SettlementReportSchema, value) } });
      expect(names(textOf(redactedMessage(item)))).toBe(false);
    }),
  );
});

test("a wallet in any text of an OperationsReport is taken out", () => {
  const field = fc.constantFrom(
    "auditedBot",
    "paramName",
    "editorId",
    "ticketRef",
    "environment",
    "traceId",
    "recordedBy",
    "maskedPaths",
    "old",
    "new",
    "details",
  );
  fc.assert(
    fc.property(field, spelt, (where, wallet) => {
      const json = JSON.stringify({ [wallet]: wallet });
      const value = {
        ...(where === "old" ? { oldValueJson: json, oldValue: exactToValue(json) } : {}),
        ...(where === "new" ? { newValueJson: json, newValue: exactToValue(json) } : {}),
        ...(where === "details" ? { detailsJson: json } : {}),
        ...(where === "maskedPaths" ? { maskedPaths: [`/old_value/${wallet}`] } : { [where]: wallet }),
      };
      const item = itemOf({ report: { case: "operations", value: create(OperationsReportSchema, value) } });
      expect(names(textOf(redactedMessage(item)))).toBe(false);
    }),
  );
});

test("numbers, hashes and what names nobody stay as they are, and the original is not touched", () => {
  const json = `{"hash":"0x${"ab".repeat(32)}","n":12345678901234567890.10}`;
  const value = create(SettlementReportSchema, { eventId: "e1", actionParamsJson: json });
  const item = itemOf({ report: { case: "settlement", value } });
  expect(redactedMessage(item).report.value).toMatchObject({ eventId: "e1", actionParamsJson: json });
  expect(redactedMessage(item)).toBe(redactedMessage(item));
});
