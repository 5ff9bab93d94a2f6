import fc from "fast-check";
import { expect, test } from "vitest";
import { fromBody, toBody } from "../../../src/journal/spool/body.ts";

/** Names and texts that look like the marks, or that mean something to JavaScript. */
const hostile = fc.constantFrom(
  '{"$int":"1"}',
  "$int",
  "$bytes",
  "$map",
  "$$int",
  "$",
  "__proto__",
  "\u0000",
  "\ud800",
);
const text = fc.oneof(fc.string({ unit: "binary" }), hostile);

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    text,
    fc.integer(),
    fc.bigInt(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  ),
}));

test("a record comes out of the spool as it went in, whatever its texts and names look like", () => {
  fc.assert(
    fc.property(value, (record) => {
      expect(fromBody(toBody(record))).toEqual(record);
    }),
    { numRuns: 2_000 },
  );
});

test("text of a caller that looks like a mark stays text", () => {
  const record = { params: { text: '{"$int":"1"}' }, $int: "7", n: 7n, bytes: Buffer.from([0, 255]) };
  expect(fromBody(toBody(record))).toEqual(record);
});

test("members that are undefined are absent afterwards", () => {
  expect(Object.keys(fromBody(toBody({ a: undefined, b: 1 })) as object)).toEqual(["b"]);
});
