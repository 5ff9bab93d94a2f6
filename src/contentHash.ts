import { createHmac, type KeyObject } from "node:crypto";

/**
 * What is compared to tell a repeated id with the same content from one with other content (R9, R10).
 * Keyed, so that a hash that stays behind does not give a scrubbed wallet away (R11). Absent (null)
 * and empty differ.
 */
export function contentHash(key: KeyObject, parts: readonly (string | null)[]): Buffer {
  return createHmac("sha256", key).update(JSON.stringify(parts)).digest();
}
