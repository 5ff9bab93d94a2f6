import { createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createTokens, type Tokens } from "../../../src/log/token.ts";
import { Failure } from "../../../src/server/failure.ts";

const key = createSecretKey(randomBytes(32));
const isText = (value: unknown): value is string => typeof value === "string";
const tokens = createTokens(key, "Service/List", isText);

function refusalOf(opener: Tokens<string>, token: string, filters: string): unknown {
  try {
    return `opened: ${opener.open("page_token", token, filters)}`;
  } catch (cause) {
    return cause instanceof Failure ? [cause.reason, cause.field] : cause;
  }
}

const refused = ["INVALID_FIELD", "page_token"];

test("what was sealed is opened with the same filters, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (content, filters) => {
      const token = tokens.seal(content, filters);
      expect(token).toMatch(/^[\w-]+$/);
      expect(tokens.open("page_token", token, filters)).toBe(content);
    }),
    { numRuns: 200 },
  );
});

test("it is refused with other filters, another use or another key", () => {
  const token = tokens.seal("x", '{"a":1}');
  expect(refusalOf(tokens, token, '{"a":2}')).toEqual(refused);
  expect(refusalOf(tokens, token, "")).toEqual(refused);
  expect(refusalOf(createTokens(key, "Service/Export", isText), token, '{"a":1}')).toEqual(refused);
  const otherKey = createSecretKey(randomBytes(32));
  expect(refusalOf(createTokens(otherKey, "Service/List", isText), token, '{"a":1}')).toEqual(refused);
});

test("a token with any bit changed, cut or made up is refused", () => {
  const bytes = Buffer.from(tokens.seal("content", "f"), "base64url");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(refusalOf(tokens, changed.toString("base64url"), "f"), `bit ${bit}`).toEqual(refused);
  }
  for (let length = 0; length < bytes.length; length++) {
    expect(refusalOf(tokens, bytes.subarray(0, length).toString("base64url"), "f")).toEqual(refused);
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (made) => {
      expect(refusalOf(tokens, made, "f")).toEqual(refused);
    }),
    { numRuns: 200 },
  );
});

test("content of another shape is refused although it is signed", () => {
  const anything = createTokens(key, "Service/List", (_: unknown): _ is unknown => true);
  expect(refusalOf(tokens, anything.seal({ not: "text" }, "f"), "f")).toEqual(refused);
});
