import { expect, test } from "vitest";
import { buf, root } from "./buf.ts";

test("the contract follows buf's standard rules, and everything in it has a comment", () => {
  expect(buf(root, "lint", "proto")).toEqual({ code: 0, output: "" });
});

test("the contract is formatted", () => {
  expect(buf(root, "format", "proto", "--diff", "--exit-code")).toEqual({ code: 0, output: "" });
});
