import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../../src/exact/parseJson.ts";

describe("parsing JSON", () => {
  it("gives each key as it is written, whatever keys were parsed before", () => {
    for (const [before, key] of [
      ["\\", '"'],
      ["ab\\", 'ab"'],
      ["\\n", "\n"],
      ["\\u0041", "A"],
    ]) {
      for (let i = 0; i < 3; i++) parseJson(JSON.stringify({ x: 1, [String(before)]: 1, y: 1 }));
      const text =
        key === "A" ? '{"x":1,"\\u0041":1,"y":1}' : JSON.stringify({ x: 1, [String(key)]: 1, y: 1 });
      expect(Object.keys(Object(parseJson(text)))).toEqual(["x", key, "y"]);
    }
  });

  it("is otherwise what JSON.parse does", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(undefined, 1, "\t"), (text, space) => {
        const value: unknown = JSON.parse(text);
        // A string with an escape makes every text take the longer way.
        expect(parseJson(JSON.stringify(["\\", value], null, space))).toEqual(["\\", value]);
        expect(parseJson(text)).toEqual(value);
      }),
      { numRuns: 500 },
    );
    const hostile = '{"__proto__":{"a":[1,2.5e3,-0,null,true,""]},"a":1,"a":"\\ud83d\\ude00 \\" \\\\ } ]"}';
    expect(JSON.stringify(parseJson(hostile))).toBe(JSON.stringify(JSON.parse(hostile)));
  });

  it("refuses what JSON.parse refuses", () => {
    for (const text of ["", "{", '{"\\":1}', "[1,]", '"\\x"', "nul"]) {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    }
  });
});
