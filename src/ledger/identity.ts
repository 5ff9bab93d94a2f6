import { createHmac, type KeyObject } from "node:crypto";

/**
 * What stands for a wallet once its account was scrubbed (R11): HMAC-SHA-256 under the record key, the
 * key's id beside it. Wallets are public and can be enumerated, so a bare hash would hide nothing. One
 * wallet's history can still be grouped by it.
 */
export type Identities = {
  /** "scrubbed:", the key's id, ":" and 64 hexadecimal digits. The wallet's case does not matter. */
  of(wallet: string): string;
};

/** Wallets remembered at a time, in each of two generations: most actions come from few wallets. */
const generationMax = 10_000;

export function createIdentities(key: KeyObject, keyId: string): Identities {
  let young = new Map<string, string>();
  let old = new Map<string, string>();

  return {
    of(wallet) {
      const known = young.get(wallet) ?? old.get(wallet);
      if (known !== undefined) return known;
      const hash = createHmac("sha256", key).update(`wallet ${wallet.toLowerCase()}`).digest("hex");
      const identity = `scrubbed:${keyId}:${hash}`;
      if (young.size >= generationMax) {
        old = young;
        young = new Map();
      }
      young.set(wallet, identity);
      return identity;
    },
  };
}
