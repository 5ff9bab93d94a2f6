import type { Reading } from "../../log/rewrites.ts";
import type { Identities } from "../identity.ts";

/** Whose scrub changes what a reader filtered by this wallet, or by what stands for one, reads. */
export function scrubsOf(wallet: string | null, identities: Identities): Reading["scrubs"] {
  if (wallet === null) return "any";
  return { identity: wallet.startsWith("0x") ? identities.of(wallet) : wallet };
}
