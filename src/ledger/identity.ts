import { createHmac, type KeyObject } from "node:crypto";
import { invalidField } from "../server/failure.ts";
import { type Replacements, replaceWallets, walletsIn } from "./mentions.ts";

/**
 * What stands for a wallet once its account was scrubbed (R11): HMAC-SHA-256 under the record key, the
 * key's id beside it. Wallets are public and can be enumerated, so a bare hash would hide nothing. One
 * wallet's history can still be grouped by it.
 */
export type Identities = {
  /** "scrubbed:", the key's id, ":" and 64 hexadecimal digits. The wallet's case does not matter. */
  of(wallet: string): string;
  /** What stands for each of the wallets, given as 40 lower case digits. */
  ofAll(wallets: Iterable<string>): Replacements;
  /** The text as it would be if every wallet in it were closed. */
  closedForm(text: string): string;
};

const walletPattern = /^0x[0-9a-fA-F]{40}$/;
/** What `of` answers, as text that a reader sends back. */
export const identityPattern = /^scrubbed:[0-9a-f]{16}:[0-9a-f]{64}$/;

/** A wallet as readers ask for it, in lower case: an address, or what stands for one since its scrub. */
export function walletOrIdentity(field: string, value: string): string {
  if (walletPattern.test(value) || identityPattern.test(value)) return value.toLowerCase();
  throw invalidField(field, "must be 0x and 40 hexadecimal digits, or what stands for a scrubbed wallet");
}

/** Wallets remembered at a time, in each of two generations: most actions come from few wallets. */
const generationMax = 10_000;

export function createIdentities(key: KeyObject, keyId: string): Identities {
  let young = new Map<string, string>();
  let old = new Map<string, string>();

  function of(wallet: string): string {
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
  }

  function ofAll(wallets: Iterable<string>): Replacements {
    const all = new Map<string, string>();
    for (const wallet of wallets) all.set(wallet, of(`0x${wallet}`));
    return all;
  }

  return { of, ofAll, closedForm: (text) => replaceWallets(text, ofAll(walletsIn(text))) };
}

/** The 40 digits of a wallet that came as 0x…, in lower case. */
export function digitsOf(wallet: string): string {
  return wallet.slice(2).toLowerCase();
}
