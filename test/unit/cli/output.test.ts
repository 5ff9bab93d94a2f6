import fc from "fast-check";
import { expect, test } from "vitest";
import { cut, shown, widthOf } from "../../../src/cli/output/cell.ts";
import { count, size } from "../../../src/cli/output/count.ts";
import { createTable } from "../../../src/cli/output/table.ts";

test("whatever a text contains, it is shown on one line and acts on no terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(shown(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      expect(shown(text).isWellFormed()).toBe(true);
    }),
  );
  expect(shown("\u001b[31m\r\n\u2028\u0085\ud800 é😀")).toBe("\\x1b[31m\\x0d\\x0a\\u2028\\x85\ufffd é😀");
});

test("a text that is cut ends with an ellipsis and fits; one that fits is left alone", () => {
  expect(cut("12345", 5)).toBe("12345");
  expect(cut("123456", 5)).toBe("1234…");
  expect(cut("漢字漢字", 5)).toBe("漢字…");
  expect(cut("é".repeat(5), 5)).toBe("é".repeat(5));
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 30 }), (text, width) => {
      const fitting = cut(text, width);
      expect(widthOf(fitting)).toBeLessThanOrEqual(width);
      if (widthOf(text) <= width) expect(fitting).toBe(text);
      else expect(fitting.endsWith("…")).toBe(true);
    }),
  );
});

test("a table's columns stand below each other, and later pages keep to them", () => {
  const layOut = createTable<{ a: string; b: string }>(
    [
      { title: "A", maxWidth: 6, text: (row) => row.a },
      { title: "BEE", maxWidth: 50, text: (row) => row.b },
    ],
    30,
  );
  expect(
    layOut([
      { a: "漢字", b: "x" },
      { a: "seven..", b: "" },
    ]),
  ).toBe("A       BEE\n漢字    x\nseven…\n");
  expect(layOut([{ a: "1", b: "y".repeat(50) }])).toBe(`1       ${"y".repeat(21)}…\n`);
});

test("numbers and sizes are written for people", () => {
  expect([count(0), count(1234567), count(12n)]).toEqual(["0", "1,234,567", "12"]);
  expect([size(0), size(999), size(1000), size(3_449_999), size(2e12)]).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "3.4 MB",
    "2.0 TB",
  ]);
});
