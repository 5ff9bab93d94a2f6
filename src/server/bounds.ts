import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { JsonProblem } from "../exact/json.ts";
import { invalidField } from "./failure.ts";

/** The bounds that fields of every service share. All throw INVALID_FIELD with the field's path. */

/** A text that has to be there: 1 to maxBytes bytes of UTF-8, any characters but U+0000. */
export function requiredText(field: string, value: string, maxBytes: number): string {
  if (value === "") throw invalidField(field, `is required: 1 to ${maxBytes} bytes`);
  return boundedText(field, value, maxBytes);
}

/** A text that may be absent; empty counts as absent. */
export function optionalText(field: string, value: string | undefined, maxBytes: number): string | null {
  return value === undefined || value === "" ? null : boundedText(field, value, maxBytes);
}

function boundedText(field: string, value: string, maxBytes: number): string {
  // A UTF-16 unit is at most three bytes, so most texts are known to fit without counting.
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes) {
    throw invalidField(field, `is longer than ${maxBytes} bytes`);
  }
  if (value.includes("\0")) throw invalidField(field, "contains U+0000, which cannot be stored");
  if (!value.isWellFormed())
    throw invalidField(
      field,
      "is not Unicode: it contains half of a surrogate pair, or bytes that are not UTF-8",
    );
  return value;
}

const walletPattern = /^0x[0-9a-fA-F]{40}$/;

/** A wallet address, in the form it came. */
export function requiredWallet(field: string, value: string): string {
  if (!walletPattern.test(value)) throw invalidField(field, "must be 0x and 40 hexadecimal digits");
  return value;
}

/** The last second whose nanoseconds fit 64 bits: 2262-04-11. */
const maxSeconds = 9_223_372_035n;

/** A time that a caller claims, as nanoseconds since 1970. */
export function optionalTimeNs(field: string, value: Timestamp | undefined): bigint | null {
  if (value === undefined) return null;
  if (value.seconds < 0n || value.seconds > maxSeconds || value.nanos < 0 || value.nanos > 999_999_999) {
    throw invalidField(field, "must be a time from 1970 to 2261");
  }
  return value.seconds * 1_000_000_000n + BigInt(value.nanos);
}

/** A bound of a time range, as whole microseconds since 1970: what stands between them rounds up. */
export function optionalTimeMicros(field: string, value: Timestamp | undefined): bigint | null {
  const nanos = optionalTimeNs(field, value);
  return nanos === null ? null : (nanos + 999n) / 1000n;
}

/** How many items a page may have: 1 to 1,000, and 100 when absent. */
export function pageSize(field: string, value: number): number {
  if (value === 0) return 100;
  if (value < 1 || value > 1000) throw invalidField(field, "must be 1 to 1000, or 0 for 100");
  return value;
}

/** Refuses a range that ends before it begins. */
export function timeRange(from: bigint | null, to: bigint | null): void {
  if (from !== null && to !== null && from > to) throw invalidField("to_time", "is before from_time");
}

/** What a JSON scan gave, or its problem as a refusal of the field. */
export function acceptJson<T extends object>(
  field: string,
  result: (T & { readonly kind: "ok" }) | { readonly kind: "bad"; readonly problem: JsonProblem },
): T {
  if (result.kind === "ok") return result;
  const { path, message } = result.problem;
  throw invalidField(field, path === "" ? message : `at ${path}: ${message}`);
}
