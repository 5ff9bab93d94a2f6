import { Scanner } from "./scanner.ts";

/** A JSON value, digit for digit. */
export type ExactJson = {
  /** The text as it was sent, without the whitespace around its tokens. */
  readonly text: string;
  /**
   * Equal if and only if the values are: keys sorted by UTF-16 code unit, strings spelt as JSON.stringify
   * does, each number a string of the tag \ud800 and its normal form, which no real string can be because
   * lone surrogates are refused. It is JSON itself; up to five times as long as the text.
   */
  readonly canonical: string;
};

/** What is wrong with a value. */
export type JsonProblem = {
  /** JSON Pointer of the place, "" for the root; cut to 512 characters and "…". */
  readonly path: string;
  /** What is wrong and what would be right. Never contains the value. */
  readonly message: string;
};

export type ExactResult =
  | { readonly kind: "ok"; readonly value: ExactJson }
  | { readonly kind: "bad"; readonly problem: JsonProblem };

export type JsonSize = {
  /** Of the text as it came, in UTF-8. */
  readonly maxBytes: number;
  /** Objects and arrays inside each other: {"a":[]} has 2. Never more than 1,000, whatever is asked for. */
  readonly maxDepth: number;
};

export type JsonLimits = JsonSize & { readonly root: "any" | "object-or-null" };

/**
 * Reads one JSON text (RFC 8259, nothing more lenient). Refused as well: repeated keys, however they are
 * escaped; lone surrogates, raw or escaped; numbers of more than 1,000 digits or with an exponent beyond
 * ±9,999. Time and memory are linear in the text's length, but for sorting keys.
 */
export function scanJson(text: string, limits: JsonLimits): ExactResult {
  if (isLonger(text, limits.maxBytes)) {
    return bad("", `is longer than ${limits.maxBytes} bytes of UTF-8`);
  }
  const scanner = new Scanner(text, limits.maxDepth, limits.root === "object-or-null");
  const canonical = scanner.run();
  if (canonical === "") return bad(scanner.path, scanner.message);
  return { kind: "ok", value: { text: scanner.compact(), canonical } };
}

/** A refusal. */
export function bad(path: string, message: string): { kind: "bad"; problem: JsonProblem } {
  return { kind: "bad", problem: { path, message } };
}

// A UTF-16 unit takes one to three bytes, so most texts need no counting.
function isLonger(text: string, maxBytes: number): boolean {
  if (text.length * 3 <= maxBytes) return false;
  return text.length > maxBytes || Buffer.byteLength(text, "utf8") > maxBytes;
}
