import { readFileSync } from "node:fs";
import { fromJson } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "commander";
import { identityPattern } from "../ledger/identity.ts";

/** Parsers of option values. They throw commander's InvalidArgumentError, which becomes exit code 2. */

/** RFC 3339 with up to nine digits of a second, e.g. 2026-05-09T10:00:00Z. Undefined when it is no time. */
export function timeOf(text: string): Timestamp | undefined {
  try {
    return fromJson(TimestampSchema, text);
  } catch {
    return undefined; // fromJson says no more than that it cannot be decoded.
  }
}

/** A time, or a date that stands for its first moment in UTC. */
export function timeOption(value: string): Timestamp {
  const time = timeOf(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value);
  if (time === undefined)
    throw new InvalidArgumentError("It is not a time like 2026-05-09T10:00:00Z or a date.");
  return time;
}

/** JSON text that goes out as it is, digit for digit. The service judges its size and depth. */
export function jsonOption(value: string): string {
  try {
    JSON.parse(value);
    return value;
  } catch {
    throw new InvalidArgumentError(`It is not JSON. Text needs its quotes: '"text"'.`);
  }
}

export function wallet(value: string): string {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value))
    throw new InvalidArgumentError("Must be 0x and 40 hexadecimal digits.");
  return value;
}

/** A wallet to filter by: an address, or what stands for one since its account was scrubbed. */
export function walletFilter(value: string): string {
  return identityPattern.test(value) ? value : wallet(value);
}

/** A whole number from 1. */
export function countOption(value: string): bigint {
  if (!/^[1-9]\d{0,17}$/.test(value)) throw new InvalidArgumentError("It is not a whole number from 1.");
  return BigInt(value);
}

/** The text of a file, or of stdin for "-". Throws the system's error. */
export function readInput(path: string): string {
  return readFileSync(path === "-" ? 0 : path, "utf8");
}
