import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type JsonLimits, scanJson } from "../../../src/exact/json.ts";
import { equal, fewModels, models, nastyStrings, naughtyStrings, respell, spell } from "./model.ts";

const limits: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 1_000, root: "any" };

function accept(text: string, with_: Partial<JsonLimits> = {}) {
  const result = scanJson(text, { ...limits, ...with_ });
  if (result.kind === "bad") throw new Error(`${result.problem.path} ${result.problem.message}`);
  return result.value;
}

function refuse(text: string, with_: Partial<JsonLimits> = {}) {
  const result = scanJson(text, { ...limits, ...with_ });
  if (result.kind === "ok") throw new Error("was accepted");
  return result.problem;
}

function canonical(text: string): string {
  return accept(text).canonical;
}

describe("the exact text", () => {
  it("is the text that came, digit for digit, when there is no whitespace around tokens", () => {
    for (const text of [
      '{"b":1.10,"a":"\\u0041 b"}',
      "-0",
      "1E+02",
      "[]",
      '""',
      "0.1000000000000000055511151231257827021181",
    ]) {
      expect(accept(text).text).toBe(text);
    }
  });

  it("loses the whitespace around tokens and keeps that inside strings", () => {
    expect(accept(' {\t"a b" :\r\n[ 1 , 2.50 ,{ } , [ ] ] } \n').text).toBe('{"a b":[1,2.50,{},[]]}');
  });

  it("means what the text that came means, and so does the canonical one", () => {
    fc.assert(
      fc.property(models, fc.integer(), (model, seed) => {
        const text = respell(model, seed);
        const value = accept(text);
        expect(JSON.parse(value.text)).toEqual(JSON.parse(text));
        const untagged = JSON.parse(value.canonical, (_, v: unknown) =>
          typeof v === "string" && !v.isWellFormed() ? Number(v.slice(1)) : v,
        );
        expect(untagged).toEqual(JSON.parse(text));
        expect(JSON.stringify(JSON.parse(accept(value.text).text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it("spells a value without whitespace as it was spelt", () => {
    fc.assert(fc.property(models, (model) => accept(spell(model)).text === spell(model)));
  });
});

describe("the canonical text", () => {
  it("does not change with whitespace, key order, escapes or the spelling of numbers", () => {
    fc.assert(
      fc.property(models, fc.integer(), (model, seed) => {
        expect(canonical(respell(model, seed))).toBe(canonical(spell(model)));
      }),
    );
  });

  it("is equal if and only if the values are", () => {
    for (const [values, numRuns] of [
      [models, 200],
      [fewModels, 1_000],
    ] as const) {
      fc.assert(
        fc.property(values, values, (a, b) => (canonical(spell(a)) === canonical(spell(b))) === equal(a, b)),
        { numRuns },
      );
    }
  });

  it("sorts keys by UTF-16 code unit, in small objects and in large ones", () => {
    const key = fc.string({
      unit: fc.constantFrom('"', "\\", "\n", " ", "!", "A", "a", "\uffff", "😀"),
      maxLength: 4,
    });
    const keys = fc.uniqueArray(key, { maxLength: 80 });
    fc.assert(
      fc.property(keys, (list) => {
        const text = `{${list.map((key) => `${JSON.stringify(key)}:null`).join(",")}}`;
        const sorted = list.toSorted().map((key) => `${JSON.stringify(key)}:null`);
        expect(canonical(text)).toBe(`{${sorted.join(",")}}`);
      }),
    );
  });

  it("tags numbers so that no string is equal to one", () => {
    expect(canonical('["1",1]')).toBe('["1","\\ud8001"]');
    expect(JSON.parse(canonical("1.50"))).toBe("\ud8001.5");
    expect(refuse('"\\ud8001"').message).toContain("surrogate");
  });

  it("tells -0 from 0", () => {
    expect(canonical("-0")).not.toBe(canonical("0"));
    expect(canonical("-0")).toBe(canonical("-0.0e5"));
    expect(accept("-0").text).toBe("-0");
  });

  it("keeps every digit of numbers that doubles cannot hold", () => {
    const digits = "1234567890123456789012345678901234567890";
    expect(canonical(digits)).not.toBe(canonical(digits.replace(/0$/, "1")));
    expect(canonical(`0.${digits}`)).toBe(canonical(`${digits}e-40`));
    expect(canonical("9223372036854775808")).not.toBe(canonical("9223372036854775807"));
    expect(canonical("1e9999")).toHaveLength(8 + "1e9999".length);
    expect(canonical("1e9999")).toBe(canonical("1000.0e9996"));
  });
});

describe("refused is", () => {
  it.each([
    ["", "", "the text ends"],
    [" \n", "", "the text ends"],
    ["nul", "", "offset 0"],
    ["NaN", "", "offset 0"],
    ["Infinity", "", "offset 0"],
    ["-Infinity", "", "offset 1"],
    ['{"a":[1,NaN]}', "/a/1", "offset 8"],
    ["1 2", "", "end of the text at offset 2"],
    ["[1,]", "/1", "offset 3"],
    ["[1", "/0", "the text ends"],
    ["[,1]", "/0", "offset 1"],
    ['{"a":1,}', "", "offset 7"],
    ['{"a" 1}', "/a", "offset 5"],
    ['{"a":}', "/a", "offset 5"],
    ["{a:1}", "", "offset 1"],
    ["{'a':1}", "", "offset 1"],
    ['{"a":1', "/a", "the text ends"],
    ["01", "", "leading zero"],
    ["-01", "", "leading zero"],
    ["+1", "", "offset 0"],
    [".5", "", "offset 0"],
    ["1.", "", "the text ends"],
    ["1.e5", "", "offset 2"],
    ["1e", "", "the text ends"],
    ["1e+", "", "the text ends"],
    ["-", "", "the text ends"],
    ["0x10", "", "offset 1"],
    ["1_000", "", "offset 1"],
    ['"a', "", "the text ends"],
    ['"a\nb"', "", "control character at offset 2"],
    ['"\\x41"', "", "escape"],
    ['"\\u00g0"', "", "escape"],
    ['"\\u00', "", "escape"],
    ['"\\', "", "escape"],
    ["\ufeff{}", "", "byte order mark"],
    ["\u00a01", "", "offset 0"],
    ["/* */1", "", "offset 0"],
    ["1//", "", "offset 1"],
    ["\u0000", "", "offset 0"],
    ["]", "", "offset 0"],
  ])("%j, at %j", (text, path, message) => {
    const problem = refuse(text);
    expect(problem.path).toBe(path);
    expect(problem.message).toContain(message);
  });

  it("whatever JSON.parse refuses, and nothing else but what is listed here", () => {
    const pieces = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"b"',
      "1",
      "-",
      ".",
      "e",
      "0",
      " ",
      "true",
      '"\\n',
      "\\",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 9 }), (parts) => {
        const text = parts.join("");
        const result = scanJson(text, limits);
        if (result.kind === "ok") JSON.parse(text);
        else if (!/twice|exponent/.test(result.problem.message))
          expect(() => JSON.parse(text)).toThrow(SyntaxError);
      }),
      { numRuns: 2_000 },
    );
  });

  it("a key that stands twice in an object, however it is escaped", () => {
    expect(refuse('{"x":{"a":1,"b":2,"\\u0061":3}}').path).toBe("/x/a");
    expect(refuse('{"__proto__":1,"__proto__":1}').path).toBe("/__proto__");
    const many = Array.from({ length: 100 }, (_, i) => `"k${i}":0`).join(",");
    expect(refuse(`{${many},"k50":0}`).path).toBe("/k50");
    expect(accept('[{"a":1},{"a":1,"A":2}]').text).toBe('[{"a":1},{"a":1,"A":2}]');
  });

  it("half of a surrogate pair, raw or escaped, in values and in keys", () => {
    for (const half of [
      "\ud800",
      "\udc00",
      "\\ud800",
      "\\uDC00",
      "\\ud83d\\ud83d",
      "\ude00\ud83d",
      "\\ud83dx\\ude00",
    ]) {
      expect(refuse(`{"a":"${half}"}`)).toMatchObject({
        path: "/a",
        message: expect.stringContaining("surrogate"),
      });
      expect(refuse(`{"${half}":1}`).message).toContain("surrogate");
    }
    expect(canonical('"\\ud83d\\ude00"')).toBe(canonical('"😀"'));
  });

  it("what is nested deeper than the limit, and 1,000 levels are never too deep for the stack", () => {
    const nest = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
    expect(accept(nest(1_000)).text).toBe(nest(1_000));
    expect(JSON.parse(accept(objects(1_000)).canonical)).toBeTypeOf("object");
    expect(refuse(nest(1_001)).message).toContain("1000 levels");
    expect(refuse(nest(200_000), { maxDepth: Number.POSITIVE_INFINITY }).message).toContain("1000 levels");
    expect(refuse(objects(33), { maxDepth: 32 }).path).toBe("/a".repeat(32));
    expect(accept("1", { maxDepth: 0 }).text).toBe("1");
    expect(refuse("[]", { maxDepth: 0 }).message).toContain("0 levels");
  });

  it("what is longer than the limit in UTF-8", () => {
    expect(accept('"é"', { maxBytes: 4 }).text).toBe('"é"');
    expect(refuse('"é"', { maxBytes: 3 }).message).toContain("3 bytes");
    expect(accept(`"${"x".repeat(1 << 20)}"`).text).toHaveLength((1 << 20) + 2);
    expect(refuse(`"${"x".repeat(1 << 20)}"`, { maxBytes: 1 << 20 }).message).toContain("1048576 bytes");
  });

  it("a number that would blow up when written out", () => {
    expect(refuse("[1e10000]")).toMatchObject({ path: "/0", message: expect.stringContaining("exponent") });
    expect(refuse("1e-99999999999999999999").message).toContain("exponent");
    expect(accept("1e-00009999").text).toBe("1e-00009999");
    expect(refuse("1".repeat(1_001)).message).toContain("1000 digits");
    expect(refuse(`0.${"1".repeat(1_000)}`).message).toContain("1000 digits");
    expect(accept("1".repeat(1_000)).text).toHaveLength(1_000);
  });

  it("another root than an object or null where one of them is asked for", () => {
    for (const text of ["[]", "1", '"a"', "true"]) {
      expect(refuse(text, { root: "object-or-null" })).toEqual({
        path: "",
        message: "must be a JSON object or null",
      });
    }
    expect(accept(" null", { root: "object-or-null" }).text).toBe("null");
    expect(accept(" {}", { root: "object-or-null" }).text).toBe("{}");
  });

  it("told by a path that is escaped, and cut when it is long", () => {
    expect(refuse('{"a/b~":[0,{"":x}]}').path).toBe("/a~1b~0/1/");
    expect(refuse('{"a\\n\\u0041":x}').path).toBe("/a\nA");
    expect(refuse(`{"${"😀".repeat(1_000)}":x}`).path.length).toBeLessThanOrEqual(513);
  });
});

describe("hostile strings", () => {
  it("come out as they went in, as values and as keys", () => {
    for (const hostile of [...nastyStrings, ...naughtyStrings()]) {
      const text = JSON.stringify({ [hostile]: [hostile] });
      const value = accept(text);
      expect(value.text).toBe(text);
      expect(value.canonical).toBe(text);
    }
  });

  it("like __proto__ are keys as any other, at every depth", () => {
    const text = '{"__proto__":{"__proto__":{"constructor":1}},"toString":2}';
    expect(accept(text).text).toBe(text);
    expect(canonical(text)).not.toBe(canonical('{"toString":2}'));
  });
});
