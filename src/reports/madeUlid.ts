import { createHash } from "node:crypto";
import { encodeTime } from "ulid";

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * A ULID that follows from what it is for: the same report has the same id whoever renders it, and whenever.
 * For reports on records without an id of their own, and for a record's further reports.
 */
export function madeUlid(micros: number, what: string): string {
  const random = createHash("sha256").update(what).digest().subarray(0, 16);
  return encodeTime(Math.floor(micros / 1000)) + Array.from(random, (byte) => digits[byte & 31]).join("");
}
