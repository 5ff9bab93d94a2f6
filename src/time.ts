import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** Times are numbers of microseconds since 1970 (exact up to the year 2255) or bigints of nanoseconds. */

export function timestampOfMicros(micros: number): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return {
    $typeName: "google.protobuf.Timestamp",
    seconds: BigInt(seconds),
    nanos: (micros - seconds * 1_000_000) * 1000,
  };
}

export function timestampOfNanos(nanos: bigint): Timestamp {
  return {
    $typeName: "google.protobuf.Timestamp",
    seconds: nanos / 1_000_000_000n,
    nanos: Number(nanos % 1_000_000_000n),
  };
}

/** RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second, as protobuf's JSON prints a Timestamp. */
export function textOfNanos(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  return `${textOfSecond(Number(seconds))}${fraction(Number(nanos % 1_000_000_000n))}Z`;
}

/** As textOfNanos, from microseconds. */
export function textOfMicros(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  return `${textOfSecond(seconds)}${fraction((micros - seconds * 1_000_000) * 1000)}Z`;
}

function textOfSecond(seconds: number): string {
  if (seconds !== lastSecond.seconds)
    lastSecond = { seconds, text: new Date(seconds * 1000).toISOString().slice(0, 19) };
  return lastSecond.text;
}

/** Records that are read one after another often came in the same one. */
let lastSecond = { seconds: 0, text: "1970-01-01T00:00:00" };

function fraction(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(nanos).padStart(9, "0");
  if (nanos % 1_000_000 === 0) return `.${digits.slice(0, 3)}`;
  if (nanos % 1000 === 0) return `.${digits.slice(0, 6)}`;
  return `.${digits}`;
}

/** YYYY-MM-DD from days since 1970-01-01. */
export function textOfDay(days: number): string {
  if (days !== lastDay.days) lastDay = { days, text: new Date(days * 86_400_000).toISOString().slice(0, 10) };
  return lastDay.text;
}

/** Nearly all records of a day ask for the same one. */
let lastDay = { days: 0, text: "1970-01-01" };
