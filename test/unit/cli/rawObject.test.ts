import fc from "fast-check";
import { expect, test } from "vitest";
import { readRawObject } from "../../../src/cli/rawObject.ts";

test("a member's text is its value as it stands there, digit for digit and with its whitespace", () => {
  const object = readRawObject(
    '\t{ "a" : 1.10 ,"b":[ 1e400, {"c":"}]\\""} ]\n,"\\u0064":"x\\\\", "e":-0,"f":null }',
  );
  expect(object.keys).toEqual(["a", "b", "d", "e", "f"]);
  expect(object.raw("a")).toBe("1.10");
  expect(object.raw("b")).toBe('[ 1e400, {"c":"}]\\""} ]');
  expect(object.raw("d")).toBe('"x\\\\"');
  expect(object.raw("e")).toBe("-0");
  expect(object.raw("f")).toBe("null");
  expect(object.raw("g")).toBeUndefined();
});

test("names that objects are born with are members like any other, or none", () => {
  expect(readRawObject("{}").raw("constructor")).toBeUndefined();
  expect(readRawObject('{"__proto__":{"a":1}}').raw("__proto__")).toBe('{"a":1}');
});

test("every member of any object is found, whatever whitespace stands between", () => {
  const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
  const member = fc.tuple(fc.string({ unit: "binary" }), fc.jsonValue(), space, space, space, space);
  fc.assert(
    fc.property(fc.uniqueArray(member, { selector: ([key]) => key }), space, (members, around) => {
      const texts = members.map(
        ([key, value, a, b, c, d]) => `${a}${JSON.stringify(key)}${b}:${c}${JSON.stringify(value)}${d}`,
      );
      const object = readRawObject(
        `${around}{${texts.join(",")}${members.length === 0 ? around : ""}}${around}`,
      );
      expect(object.keys).toEqual(members.map(([key]) => JSON.parse(JSON.stringify(key))));
      for (const [key, value] of members) expect(object.raw(key)).toBe(JSON.stringify(value));
    }),
  );
});

test.each(["", "null", "[]", '"x"', "1", "{", '{"a":01}', '{"a":1}x', '{"a":1,}', "{'a':1}"])(
  "%s is refused as a SyntaxError",
  (text) => {
    expect(() => readRawObject(text)).toThrow(SyntaxError);
  },
);

test("a key that stands there twice is refused, however it is spelt", () => {
  expect(() => readRawObject('{"a":1,"\\u0061":2}')).toThrow('the key "a" stands there twice');
});

test("ten thousand levels do not exhaust the stack", () => {
  const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
  expect(readRawObject(`{"a":${deep},"b":1}`).raw("b")).toBe("1");
});
