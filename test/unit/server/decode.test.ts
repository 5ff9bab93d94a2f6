import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Struct, StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { CheckWriteRequestSchema } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import {
  RecordUserActionRequestSchema,
  StreamUserActionsRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { decodeRequest } from "../../../src/server/decode.ts";
import { Failure } from "../../../src/server/failure.ts";
import { clipNesting } from "../../../src/server/nesting.ts";
import { decodeUtf8, showBadUtf8 } from "../../../src/server/utf8.ts";

beforeAll(showBadUtf8);

describe("text", () => {
  test("that is UTF-8 is read exactly, whatever it contains", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(decodeUtf8(Buffer.from(text))).toBe(text);
      }),
    );
    for (const text of ["\ufeffbom", "\ufffd", "\0", "\u{10ffff}"])
      expect(decodeUtf8(Buffer.from(text))).toBe(text);
  });

  test("that is not UTF-8 is never taken for a text", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = decodeUtf8(bytes);
        // Either these bytes, or a text that no field's bound lets pass.
        if (text.isWellFormed()) expect(Buffer.from(text)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test.each([
    ["half a surrogate pair", [0xed, 0xa0, 0x80]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["beyond the last character", [0xf4, 0x90, 0x80, 0x80]],
    ["a byte alone", [0x80]],
    ["cut short", [0xe2, 0x82]],
  ])("that is %s is marked", (_, bytes) => {
    expect(decodeUtf8(new Uint8Array(bytes)).isWellFormed()).toBe(false);
  });
});

describe("a request", () => {
  test("comes out as it was sent", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.string({ unit: "grapheme" }), (json, text) => {
        const sent = create(RecordUserActionRequestSchema, {
          eventId: text,
          params: { value: JSON.parse(json) },
          sessionSeq: 7n,
        });
        const bytes = toBinary(RecordUserActionRequestSchema, sent);
        expect(decodeRequest(RecordUserActionRequestSchema, bytes)).toEqual(
          fromBinary(RecordUserActionRequestSchema, bytes),
        );
      }),
    );
  });

  test("of any bytes is decoded or refused, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const desc of [
          RecordUserActionRequestSchema,
          CheckWriteRequestSchema,
          StreamUserActionsRequestSchema,
        ]) {
          try {
            decodeRequest(desc, bytes);
          } catch (cause) {
            expect(cause).toBeInstanceOf(Failure);
            expect(cause).toMatchObject({ reason: "INVALID_FIELD", field: "" });
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** Lists and objects inside each other, as a Value on the wire: what toBinary itself cannot write. */
function deepValue(depth: number): Uint8Array {
  let value: Uint8Array = new BinaryWriter()
    .tag(3, WireType.LengthDelimited)
    .string("at the bottom")
    .finish();
  for (let i = 0; i < depth; i++) {
    const isList = i % 2 === 0;
    const inner = isList
      ? new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(value)
      : new BinaryWriter()
          .tag(1, WireType.LengthDelimited)
          .bytes(
            new BinaryWriter()
              .tag(1, WireType.LengthDelimited)
              .string("k")
              .tag(2, WireType.LengthDelimited)
              .bytes(value)
              .finish(),
          );
    value = new BinaryWriter()
      .tag(isList ? 6 : 5, WireType.LengthDelimited)
      .bytes(inner.finish())
      .finish();
  }
  return value;
}

describe("nesting", () => {
  const request = (depth: number) =>
    new BinaryWriter()
      .tag(3, WireType.LengthDelimited)
      .bytes(deepValue(depth))
      .tag(1, WireType.LengthDelimited)
      .string("slug")
      .finish();

  test("that any bound lets pass is not touched", () => {
    for (const depth of [0, 1, 2, 32, 33, 40]) {
      expect(Buffer.from(clipNesting(CheckWriteRequestSchema, request(depth)))).toEqual(
        Buffer.from(request(depth)),
      );
    }
  });

  test.each([45, 49, 50, 60, 1_000, 3_000])(
    "of %d levels can be decoded, and is still too deep for a bound",
    (depth) => {
      const decoded = decodeRequest(CheckWriteRequestSchema, request(depth));
      expect(decoded).toMatchObject({ botSlug: "slug" });
      expect(levelsOf(Reflect.get(decoded, "oldValue"))).toBeGreaterThan(32);
    },
  );

  test("is cut off in maps as in lists, and nothing beside it is lost", () => {
    const struct = create(StructSchema, {
      fields: { a: { kind: { case: "stringValue", value: "beside" } } },
    });
    const bytes = toBinary(StructSchema, struct);
    const clipped: Struct = fromBinary(StructSchema, clipNesting(StructSchema, bytes));
    expect(equals(StructSchema, clipped, struct)).toBe(true);
  });

  test("of bytes that are no message is an error", () => {
    expect(() => clipNesting(CheckWriteRequestSchema, Buffer.from([0x1a, 0x7f]))).toThrow();
  });
});

function levelsOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const kind: unknown = Reflect.get(value, "kind");
  const inner: unknown = typeof kind === "object" && kind !== null ? Reflect.get(kind, "value") : undefined;
  if (typeof inner !== "object" || inner === null) return 0;
  const children: unknown[] =
    "values" in inner && Array.isArray(inner.values)
      ? inner.values
      : Object.values(Reflect.get(inner, "fields") ?? {});
  return 1 + Math.max(0, ...children.map(levelsOf));
}
