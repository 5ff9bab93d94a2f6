import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalDecimal } from "../../../src/exact/decimal.ts";
import { sameDecimal } from "./model.ts";

describe("the normal form of a decimal", () => {
  it.each([
    ["0", "0"],
    ["0.000", "0"],
    ["0e9", "0"],
    ["-0", "-0"],
    ["-0.00E+5", "-0"],
    ["1.10", "1.1"],
    ["10e-1", "1"],
    ["1e2", "100"],
    ["0.053", "0.053"],
    ["53E-3", "0.053"],
    ["-1234.5e3", "-1234500"],
    ["1e23", "100000000000000000000000"],
    ["1e24", "1e24"],
    ["1000000000000000000000000", "1e24"],
    ["1e-22", "0.0000000000000000000001"],
    ["1e-23", "1e-23"],
    ["1234567890123.4567890123", "1234567890123.4567890123"],
    ["12345678901234.5678901234", "123456789012345678901234e-10"],
    ["12345678901234.56789012345", "1234567890123456789012345e-11"],
    ["1234567890123456789012345", "1234567890123456789012345e0"],
    ["1e9999", "1e9999"],
    ["1.5e-9999", "15e-10000"],
  ])("of %s is %s", (number, normal) => {
    expect(normalDecimal(number)).toBe(normal);
    expect(normalDecimal(normal)).toBe(normal);
  });

  it("is equal if and only if the decimals are", () => {
    const part = fc.stringMatching(/^[0-9]{1,26}$/);
    const number = fc
      .tuple(
        fc.constantFrom("", "-"),
        part,
        fc.oneof(fc.constant(""), part),
        fc.integer({ min: -30, max: 30 }),
      )
      .map(
        ([sign, int, fraction, e]) => `${sign}${BigInt(int)}${fraction === "" ? "" : `.${fraction}`}e${e}`,
      );
    fc.assert(
      fc.property(number, number, fc.nat(30), (a, b, zeros) => {
        expect(normalDecimal(a) === normalDecimal(b)).toBe(sameDecimal(a, b));
        expect(sameDecimal(normalDecimal(a), a)).toBe(true);
        const [mantissa = "", e = ""] = a.split("e");
        const padded = `${mantissa}${mantissa.includes(".") ? "" : "."}${"0".repeat(zeros + 1)}e${e}`;
        expect(normalDecimal(padded)).toBe(normalDecimal(a));
      }),
      { numRuns: 500 },
    );
  });
});
