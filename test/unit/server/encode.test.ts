import { create, type DescMessage, fromJsonString, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { SourceCodeInfo_LocationSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { GetBotConfigResponseSchema } from "../../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import {
  CheckWriteResponseSchema,
  FieldChangeKind,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { StreamReportsResponseSchema } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import {
  RecordOutcome,
  RecordUserActionResponseSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { contract } from "../../../src/server/contract.ts";
import { createEncoder } from "../../../src/server/encode.ts";

const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 200 }), fc.constant(""));
const time = fc.record({ seconds: fc.bigInt({ min: -1n, max: 2n ** 40n }), nanos: fc.nat(999_999_999) });
const json = fc.jsonValue({ maxDepth: 4 });
const object = fc
  .dictionary(fc.string({ maxLength: 20 }), json)
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));
const value = json.map((one) => fromJsonString(ValueSchema, JSON.stringify(one)));

function sameBytes(desc: DescMessage, message: ReturnType<typeof create>): void {
  expect(createEncoder(desc)(message).equals(toBinary(desc, message))).toBe(true);
}

test("an answer of the ledger has the bytes that toBinary gives", () => {
  const report = fc.record(
    {
      reportId: text,
      actionParams: object,
      actionParamsJson: text,
      recordedAt: time,
      occurredAt: time,
      sessionSeq: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      inexact: fc.array(text, { maxLength: 3 }),
      position: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    },
    { requiredKeys: [] },
  );
  const outcome = fc.constantFrom(RecordOutcome.UNSPECIFIED, RecordOutcome.RECORDED, RecordOutcome.DUPLICATE);
  fc.assert(
    fc.property(fc.record({ outcome, report }, { requiredKeys: ["outcome"] }), (init) => {
      sameBytes(RecordUserActionResponseSchema, create(RecordUserActionResponseSchema, init));
    }),
  );
});

test("a verdict has the bytes that toBinary gives", () => {
  const report = fc.record(
    { oldValue: value, newValue: value, ticketRef: text, oldValueJson: text },
    { requiredKeys: [] },
  );
  const change = fc.record(
    { path: text, kind: fc.constantFrom(FieldChangeKind.ADDED, FieldChangeKind.CHANGED), oldJson: text },
    { requiredKeys: ["path", "kind"] },
  );
  const verdict = fc.record(
    {
      allowed: fc.boolean(),
      verdict: fc.constantFrom(Verdict.ALLOW, Verdict.REJECT),
      diff: fc.array(change, { maxLength: 4 }),
      diffOmitted: fc.integer(),
      replayed: fc.boolean(),
      report,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(verdict, (init) => {
      sameBytes(CheckWriteResponseSchema, create(CheckWriteResponseSchema, init));
    }),
  );
});

test("a oneof of messages has the bytes that toBinary gives", () => {
  const report = { case: "settlement" as const, value: { reportId: "stl_1", fillIds: ["a", ""] } };
  sameBytes(StreamReportsResponseSchema, create(StreamReportsResponseSchema, { at: { epoch: 1n }, report }));
});

test("maps and values have the bytes that toBinary gives", () => {
  const parameter = fc.record({ paramName: text, value, defaultValue: value }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(parameter, { maxLength: 4 }), (parameters) => {
      sameBytes(GetBotConfigResponseSchema, create(GetBotConfigResponseSchema, { botId: "b", parameters }));
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), text), (metadata) => {
      sameBytes(ErrorInfoSchema, create(ErrorInfoSchema, { reason: "X", metadata }));
    }),
  );
});

test("every answer of the contract has the bytes that toBinary gives, and what none of them has is left to it", () => {
  for (const service of contract) {
    for (const method of service.methods) {
      const output: DescMessage = method.output;
      sameBytes(output, create(output));
    }
  }
  sameBytes(SourceCodeInfo_LocationSchema, create(SourceCodeInfo_LocationSchema, { path: [1, 300] }));
});

test("a failed encoding leaves nothing before the next message", () => {
  const encode = createEncoder(RecordUserActionResponseSchema);
  const good = create(RecordUserActionResponseSchema, { outcome: RecordOutcome.RECORDED });
  const bad = create(RecordUserActionResponseSchema, { report: { sessionSeq: 2n ** 70n } });
  expect(() => encode(bad)).toThrow();
  expect(encode(good).equals(toBinary(RecordUserActionResponseSchema, good))).toBe(true);
});
