import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { RawObject } from "../rawObject.ts";
import { timeOf } from "../values.ts";

/** A row that cannot be sent as it stands: what is wrong, and what would be right. */
export class BadRow extends Error {
  override readonly name = "BadRow";
}

/** A text; undefined when it is absent or null. Throws a BadRow. */
export function optionalText(row: RawObject, key: string): string | undefined {
  const raw = row.raw(key);
  if (raw === undefined || raw === "null") return undefined;
  const value: unknown = JSON.parse(raw);
  if (typeof value !== "string") throw new BadRow(`${key} must be a text`);
  // Encoding one as UTF-8 would put another character in its place.
  if (!value.isWellFormed()) throw new BadRow(`${key} contains half of a surrogate pair`);
  return value;
}

/** A text that has to be there. Throws a BadRow. */
export function requiredText(row: RawObject, key: string): string {
  const value = optionalText(row, key);
  if (value === undefined) throw new BadRow(`${key} is missing`);
  return value;
}

/** An RFC 3339 time; undefined when it is absent or null. Throws a BadRow. */
export function optionalTime(row: RawObject, key: string): Timestamp | undefined {
  const text = optionalText(row, key);
  if (text === undefined) return undefined;
  const time = timeOf(text);
  if (time === undefined) throw new BadRow(`${key} is not a time like 2026-05-09T10:00:00Z`);
  return time;
}

/** A whole number, as a number or a text of digits; undefined when it is absent or null. Throws a BadRow. */
export function optionalInteger(row: RawObject, key: string): bigint | undefined {
  const raw = row.raw(key);
  if (raw === undefined || raw === "null") return undefined;
  const digits = /^"?(\d{1,18})"?$/.exec(raw)?.[1];
  if (digits === undefined) throw new BadRow(`${key} must be a whole number`);
  return BigInt(digits);
}

/** Throws a BadRow for a key that none of these is: most likely a misspelt one. */
export function onlyKeys(row: RawObject, known: readonly string[]): void {
  const unknown = row.keys.find((key) => !known.includes(key));
  if (unknown !== undefined) throw new BadRow(`${JSON.stringify(unknown)} is not one of ${known.join(", ")}`);
}
