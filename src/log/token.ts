import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { invalidField } from "../server/failure.ts";

/**
 * Opaque tokens that readers hand back: what they say, and a keyed hash over it and over the filters
 * they were made for, so that a changed token or another filter is refused instead of answered wrong.
 */
export type Tokens<T> = {
  seal(content: T, filters: string): string;
  /** Throws INVALID_FIELD when the token was not made here for these filters. */
  open(field: string, token: string, filters: string): T;
};

const macBytes = 16;

export function createTokens<T>(
  key: KeyObject,
  use: string,
  isContent: (value: unknown) => value is T,
): Tokens<T> {
  function mac(body: Buffer, filters: string): Buffer {
    return createHmac("sha256", key)
      .update(`${use}\n${filters}\n`)
      .update(body)
      .digest()
      .subarray(0, macBytes);
  }

  return {
    seal(content, filters) {
      const body = Buffer.from(JSON.stringify(content));
      return Buffer.concat([mac(body, filters), body]).toString("base64url");
    },
    open(field, token, filters) {
      const bytes = Buffer.from(token, "base64url");
      const body = bytes.subarray(macBytes);
      const given = bytes.subarray(0, macBytes);
      if (given.length === macBytes && timingSafeEqual(given, mac(body, filters))) {
        const content: unknown = JSON.parse(body.toString());
        if (isContent(content)) return content;
      }
      throw invalidField(field, "is not a token of an earlier answer to the same filters");
    },
  };
}
