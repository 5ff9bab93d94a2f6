import { create, fromBinary, fromJsonString, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { ListValueSchema, StructSchema, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckWriteRequestSchema } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { RecordUserActionRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type ExactJson, scanJson } from "../../../src/exact/json.ts";
import {
  type DoublesResult,
  exactToStruct,
  exactToValue,
  sameAsDoubles,
  structToExact,
  valueToExact,
} from "../../../src/exact/value.ts";
import { models, nastyStrings, naughtyStrings, respell, spell } from "./model.ts";

const size = { maxBytes: 4 * 1024 * 1024, maxDepth: 1_000 };

function accept(result: DoublesResult): Extract<DoublesResult, { kind: "ok" }> {
  if (result.kind === "bad") throw new Error(`${result.problem.path} ${result.problem.message}`);
  return result;
}

function refuse(result: DoublesResult) {
  if (result.kind === "ok") throw new Error("was accepted");
  return result.problem;
}

function exact(text: string): ExactJson {
  const result = scanJson(text, { ...size, root: "any" });
  if (result.kind === "bad") throw new Error(result.problem.message);
  return result.value;
}

/** Params as the service gets them over gRPC. */
function overBinary(params: JsonObject): JsonObject {
  const bytes = toBinary(RecordUserActionRequestSchema, create(RecordUserActionRequestSchema, { params }));
  return fromBinary(RecordUserActionRequestSchema, bytes).params ?? {};
}

/** Params as the service gets them over Connect JSON. */
function overJson(text: string): JsonObject {
  return fromJsonString(RecordUserActionRequestSchema, `{"params":${text}}`).params ?? {};
}

function valueOverBinary(newValue: Value): Value {
  const bytes = toBinary(CheckWriteRequestSchema, create(CheckWriteRequestSchema, { newValue }));
  return fromBinary(CheckWriteRequestSchema, bytes).newValue ?? create(ValueSchema);
}

function valueOverJson(text: string): Value {
  return fromJsonString(CheckWriteRequestSchema, `{"new_value":${text}}`).newValue ?? create(ValueSchema);
}

describe("a Struct or Value that was sent", () => {
  it("becomes the JSON text of its doubles, over binary and over JSON", () => {
    const text = '{"s":"a\\nb","n":1.5,"big":1e+21,"t":true,"f":false,"z":null,"l":[1,[],{}],"o":{"k":"v"}}';
    for (const params of [overJson(text), overBinary(overJson(text))]) {
      expect(accept(structToExact(params, size)).value.text).toBe(text);
    }
    for (const value of [valueOverJson(text), valueOverBinary(valueOverJson(text))]) {
      expect(accept(valueToExact(value, size)).value.text).toBe(text);
    }
  });

  it("has the same canonical text whichever way it came", () => {
    fc.assert(
      fc.property(models, (model) => {
        const doubles = JSON.stringify(JSON.parse(spell(model)));
        const value = valueOverBinary(valueOverJson(doubles));
        const { text, canonical } = accept(valueToExact(value, size)).value;
        expect(JSON.parse(text)).toEqual(JSON.parse(doubles));
        expect(canonical).toBe(exact(text).canonical);
        const params = overBinary({ v: JSON.parse(doubles) });
        expect(accept(structToExact(params, size)).value.text).toBe(
          accept(structToExact(overJson(`{"v":${doubles}}`), size)).value.text,
        );
      }),
    );
  });

  it("keeps -0, which JSON.stringify would lose", () => {
    expect(accept(structToExact(overJson('{"a":-0}'), size)).value.text).toBe('{"a":-0}');
    expect(accept(structToExact(overBinary({ a: -0 }), size)).value.text).toBe('{"a":-0}');
    expect(accept(valueToExact(valueOverJson("-0.0"), size)).value.text).toBe("-0");
  });

  it("keeps keys that are names in JavaScript, and all hostile strings", () => {
    const text = '{"__proto__":{"__proto__":{"constructor":1}},"toString":2}';
    for (const params of [overJson(text), overBinary(overJson(text))]) {
      expect(accept(structToExact(params, size)).value.text).toBe(text);
    }
    expect(accept(valueToExact(valueOverBinary(valueOverJson(text)), size)).value.text).toBe(text);
    for (const hostile of [...nastyStrings, ...naughtyStrings()]) {
      const one = JSON.stringify({ [hostile]: [hostile] });
      expect(accept(structToExact(overBinary(overJson(one)), size)).value.text).toBe(one);
    }
  });

  it("tells which numbers may have lost digits, the first hundred of them", () => {
    const params = overJson(
      '{"a/b":[1,9007199254740993,{"c":-1e300}],"d":9007199254740991,"e":9223372036854775808}',
    );
    expect(accept(structToExact(params, size)).inexact).toEqual(["/a~1b/1", "/a~1b/2/c", "/e"]);
    expect(accept(valueToExact(valueOverJson("9007199254740993"), size)).inexact).toEqual([""]);
    expect(accept(valueToExact(valueOverJson("9007199254740991"), size)).inexact).toEqual([]);
    expect(accept(structToExact({ l: Array(500).fill(1e20) }, size)).inexact).toHaveLength(100);
    const [long = ""] = accept(structToExact({ ["k".repeat(60_000)]: 1e20 }, size)).inexact;
    expect(long).toHaveLength(513);
  });

  it("is refused with NaN or an infinity, which a JSON sender can send as 1e999", () => {
    expect(refuse(structToExact(overBinary({ a: [0, Number.NaN] }), size))).toMatchObject({ path: "/a/1" });
    expect(refuse(structToExact(overBinary({ a: Number.NEGATIVE_INFINITY }), size)).message).toContain(
      "infinite",
    );
    expect(refuse(structToExact(overJson('{"a":1e999}'), size))).toMatchObject({ path: "/a" });
    expect(refuse(valueToExact(valueOverJson("-1e999"), size))).toMatchObject({ path: "" });
  });

  it("is refused as a Value without a kind; inside a Struct that came as null already", () => {
    const unset = create(ValueSchema);
    expect(refuse(valueToExact(valueOverBinary(unset), size))).toMatchObject({ path: "" });
    const list = create(ValueSchema, {
      kind: { case: "listValue", value: create(ListValueSchema, { values: [unset] }) },
    });
    expect(refuse(valueToExact(valueOverBinary(list), size))).toMatchObject({ path: "/0" });
    const struct = create(ValueSchema, {
      kind: { case: "structValue", value: create(StructSchema, { fields: { a: unset } }) },
    });
    expect(refuse(valueToExact(valueOverBinary(struct), size))).toMatchObject({ path: "/a" });

    const fields = toBinary(StructSchema, create(StructSchema, { fields: { a: unset } }));
    const request = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(fields).finish();
    const params = fromBinary(RecordUserActionRequestSchema, request).params ?? {};
    expect(accept(structToExact(params, size)).value.text).toBe('{"a":null}');
  });

  it("is refused with half of a surrogate pair, in a string or a key", () => {
    expect(refuse(structToExact(overJson('{"a":"\\ud800"}'), size))).toMatchObject({ path: "/a" });
    expect(refuse(structToExact(overJson('{"\\udc00":1}'), size)).message).toContain("surrogate");
    expect(refuse(structToExact(overJson('{"\\udc00":1e999}'), size)).path.isWellFormed()).toBe(true);
  });

  it("is refused when it is too deep or too long, without writing it all out", () => {
    const nest = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    const limits = { maxBytes: 100, maxDepth: 32 };
    expect(accept(valueToExact(valueOverBinary(valueOverJson(nest(32))), limits)).value.text).toBe(nest(32));
    expect(refuse(valueToExact(valueOverJson(nest(33)), limits))).toMatchObject({ path: "/0".repeat(32) });
    expect(refuse(structToExact({ a: nestedObject(5_000) }, size)).message).toContain("1000 levels");
    expect(accept(structToExact({ a: "x".repeat(92) }, limits)).value.text).toHaveLength(100);
    expect(refuse(structToExact({ a: "x".repeat(93) }, limits)).message).toContain("100 bytes");
    expect(refuse(structToExact({ a: "é".repeat(60) }, limits)).message).toContain("100 bytes");
    expect(refuse(structToExact({ l: Array(1_000_000).fill(null) }, limits))).toMatchObject({
      path: expect.stringMatching(/^\/l\/\d\d$/),
    });
  });

  it("of more than 49 levels never gets here: protobuf-es refuses the whole message", () => {
    const nest = (levels: number) => exactToValue("[".repeat(levels) + "]".repeat(levels));
    expect(accept(valueToExact(valueOverBinary(nest(49)), size)).value.text).toHaveLength(98);
    expect(() => valueOverBinary(nest(50))).toThrow("recursion");
  });
});

describe("an answer as Struct or Value", () => {
  it("has the value again when it is read, over binary and over JSON", () => {
    fc.assert(
      fc.property(models, fc.integer(), (model, seed) => {
        const text = respell(model, seed);
        const value = valueOverBinary(exactToValue(text));
        expect(sameAsDoubles(exact(text), accept(valueToExact(value, size)).value)).toBe(true);
        const struct = exactToStruct(`{"v":${text}}`) ?? {};
        const read = accept(structToExact(overBinary(struct), size)).value;
        expect(sameAsDoubles(exact(`{"v":${text}}`), read)).toBe(true);
        toJson(RecordUserActionRequestSchema, create(RecordUserActionRequestSchema, { params: struct }));
      }),
    );
  });

  it("keeps -0 and a key __proto__, and puts no prototype in place", () => {
    const text = '{"__proto__":{"a":-0}}';
    const value = exactToValue(text);
    expect(accept(valueToExact(valueOverBinary(value), size)).value.text).toBe(text);
    expect(JSON.stringify(toJson(ValueSchema, value))).toBe('{"__proto__":{"a":0}}');
    const struct = exactToStruct(text) ?? {};
    expect(Object.getPrototypeOf(struct)).toBe(Object.prototype);
    expect(accept(structToExact(overBinary(struct), size)).value.text).toBe(text);
  });

  it("has the largest double where no double is as large, so that it can be answered as JSON", () => {
    const struct = exactToStruct('{"a":[1e999,-1e999],"__proto__":1e999}') ?? {};
    expect(struct.a).toEqual([Number.MAX_VALUE, -Number.MAX_VALUE]);
    expect(accept(structToExact(overBinary(struct), size)).value.text).toContain(
      '"__proto__":1.7976931348623157e+308',
    );
    expect(JSON.stringify(toJson(ValueSchema, exactToValue("-1e999")))).toBe("-1.7976931348623157e+308");
  });

  it("is no Struct at all for null, and an error for what is neither object nor null", () => {
    expect(exactToStruct("null")).toBeUndefined();
    expect(() => exactToStruct("[]")).toThrow(TypeError);
    expect(exactToValue("null").kind.case).toBe("nullValue");
  });
});

describe("an exact text beside the Struct or Value of the same request", () => {
  const same = (text: string, sent: string) =>
    sameAsDoubles(exact(text), accept(valueToExact(valueOverJson(sent), size)).value);

  it("is the same when it rounds to it, whatever its key order and the sign of zero", () => {
    expect(same('{"a":1.10,"b":-0}', '{"b":0,"a":1.1}')).toBe(true);
    expect(same("9007199254740993", "9007199254740992")).toBe(true);
    expect(same("0.1000000000000000055511151231257827021181583404541015625", "0.1")).toBe(true);
    expect(same("1e-400", "0")).toBe(true);
  });

  it("is not the same when anything else differs", () => {
    expect(same("1.1", "1.2")).toBe(false);
    expect(same('"1"', "1")).toBe(false);
    expect(same("null", "0")).toBe(false);
    expect(same("[]", "{}")).toBe(false);
    expect(same("{}", "[]")).toBe(false);
    expect(same("null", "{}")).toBe(false);
    expect(same("[1]", "[1,2]")).toBe(false);
    expect(same('{"a":1}', '{"b":1}')).toBe(false);
    expect(same('{"a":1}', '{"a":1,"b":1}')).toBe(false);
    expect(same('{"toString":1}', '{"x":1}')).toBe(false);
    expect(same('{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}')).toBe(false);
  });
});

function nestedObject(levels: number): JsonObject {
  let object: JsonObject = {};
  for (let i = 0; i < levels; i++) object = { a: object };
  return object;
}
