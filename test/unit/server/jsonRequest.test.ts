import { type DescMessage, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CheckWriteRequestSchema,
  ListParameterChangesRequestSchema,
  ReconcileConfigRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { StreamReportsRequestSchema } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { StreamUserActionsRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { Failure } from "../../../src/server/failure.ts";
import { decodeJsonRequest } from "../../../src/server/jsonRequest.ts";

function refusal(desc: DescMessage, text: string): { field: string | undefined; message: string } {
  try {
    decodeJsonRequest(desc, Buffer.from(text));
  } catch (cause) {
    if (cause instanceof Failure) return { field: cause.field, message: cause.message };
    throw cause;
  }
  throw new Error("it was read");
}

describe("the field at fault is named by its path, and what would be right is said", () => {
  test.each([
    [CheckWriteRequestSchema, '{"bot_slug":1}', "bot_slug", "bot_slug must be a string"],
    [CheckWriteRequestSchema, '{"botSlug":1}', "bot_slug", "bot_slug must be a string"],
    [CheckWriteRequestSchema, '{"dry_run":"no"}', "dry_run", "dry_run must be true or false"],
    [
      CheckWriteRequestSchema,
      '{"bot_slugs":"a"}',
      "bot_slugs",
      "bot_slugs is not a field of CheckWriteRequest",
    ],
    [
      CheckWriteRequestSchema,
      '{"changed_at":7}',
      "changed_at",
      'changed_at must be a time like "2026-05-09T12:00:00Z"',
    ],
    [
      ListParameterChangesRequestSchema,
      '{"page_size":"many"}',
      "page_size",
      "page_size must be a whole number of 32 bits",
    ],
    [
      ListParameterChangesRequestSchema,
      '{"verdict":"NO"}',
      "verdict",
      "verdict must be one of VERDICT_UNSPECIFIED, VERDICT_ALLOW",
    ],
    [ReconcileConfigRequestSchema, '{"live_values":{}}', "live_values", "live_values must be a list"],
    [
      ReconcileConfigRequestSchema,
      '{"live_values":[{},7]}',
      "live_values",
      "live_values must be a list, each item of its type",
    ],
    [
      ReconcileConfigRequestSchema,
      '{"live_values":[{},{"param_name":[]}]}',
      "live_values[1].param_name",
      "live_values[1].param_name must be a string",
    ],
    [
      ReconcileConfigRequestSchema,
      '{"live_values":[{"typo":1}]}',
      "live_values[0].typo",
      "live_values[0].typo is not a field of LiveValue",
    ],
    [
      StreamReportsRequestSchema,
      '{"after":{"epoch":"x"}}',
      "after.epoch",
      "after.epoch must be a whole number of 64 bits",
    ],
    [StreamReportsRequestSchema, '{"after":7}', "after", "after must be an object, a LogPosition"],
    [StreamReportsRequestSchema, '{"event_types":[7]}', "event_types", "event_types must be a list"],
    [
      StreamUserActionsRequestSchema,
      '{"open":{},"batch":{}}',
      "",
      "the request has two fields of which only one may be sent",
    ],
    [
      CheckWriteRequestSchema,
      '{"bot_slug":"a","botSlug":"a"}',
      "bot_slug",
      "bot_slug is sent twice, as bot_slug and as botSlug",
    ],
    [CheckWriteRequestSchema, '{"old_value":{"a":[1,}}', "old_value", "old_value at /a/1 is not JSON"],
    [
      CheckWriteRequestSchema,
      '{"old_value":{"a":1,"a":1}}',
      "old_value",
      "old_value at /a is a key that stands twice",
    ],
    [CheckWriteRequestSchema, '{"a":1,"a":1}', "", "the request at /a is a key that stands twice"],
    [CheckWriteRequestSchema, "nonsense", "", "the request is not JSON: expected a JSON value at offset 0"],
    [CheckWriteRequestSchema, "7", "", "the request must be a JSON object"],
  ])("%s %s", (desc, text, field, message) => {
    const refused = refusal(desc, text);
    expect(refused.field).toBe(field);
    expect(refused.message.startsWith(`INVALID_FIELD: ${message}`), refused.message).toBe(true);
  });

  test("a name as long as the request is cut in the answer", () => {
    const { field = "", message } = refusal(
      CheckWriteRequestSchema,
      JSON.stringify({ ["x".repeat(1_000_000)]: 1 }),
    );
    expect(field).toBe(`${"x".repeat(64)}…`);
    expect(message.length).toBeLessThan(200);
  });

  test("a value is never repeated in the answer", () => {
    for (const text of [
      '{"bot_slug":["secret"]}',
      '{"changed_at":"secret"}',
      '{"verdict":"secret"}',
      '{"page_size":"secret"}',
    ]) {
      const desc =
        text.includes("bot_slug") || text.includes("changed_at")
          ? CheckWriteRequestSchema
          : ListParameterChangesRequestSchema;
      expect(refusal(desc, text).message).not.toContain("secret");
    }
  });
});

test("any JSON is read as it stands or refused, and nothing else happens", () => {
  const names = ["bot_slug", "oldValue", "new_value", "changed_at", "dry_run", "old_value_json", "other"];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.json()), (members) => {
      const text = `{${Object.entries(members)
        .map(([name, json]) => `"${name}":${json}`)
        .join(",")}}`;
      try {
        const message = decodeJsonRequest(CheckWriteRequestSchema, Buffer.from(text));
        const back: unknown = toJson(CheckWriteRequestSchema, message, { useProtoFieldName: true });
        const sent: unknown = JSON.parse(text.replace('"oldValue"', '"old_value"'));
        for (const name of ["old_value", "new_value"]) {
          expect(Reflect.get(Object(back), name)).toEqual(Reflect.get(Object(sent), name));
        }
      } catch (cause) {
        expect(cause).toBeInstanceOf(Failure);
      }
    }),
  );
});
