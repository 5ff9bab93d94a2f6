import type { Damage, EndedOutage, Entry, Held, KeyCounts, NewEntry, SpoolBot } from "./entry.ts";
import type { SettledEntry } from "./spoolFile.ts";

/** What the spool's thread is asked; each is answered once, under the same id. */
export type Ask = { readonly id: number } & (
  | { readonly kind: "append"; readonly entries: readonly NewEntry[]; readonly nowMicros: number }
  | {
      readonly kind: "take";
      readonly journal: string;
      readonly limit: number;
      readonly maxBytes: number;
      readonly behind: string | undefined;
      readonly after: number;
    }
  | { readonly kind: "settle"; readonly settled: readonly SettledEntry[] }
  | { readonly kind: "refuse"; readonly seq: number; readonly sqlState: string }
  | { readonly kind: "endOutage"; readonly bot: SpoolBot; readonly nowMicros: number }
  | { readonly kind: "endedOutages" }
  | { readonly kind: "forgetOutage"; readonly outageId: string }
  | { readonly kind: "close" }
);

export type Answer = { readonly id: number } & (
  | { readonly kind: "done" }
  | { readonly kind: "taken"; readonly entries: readonly Entry[] }
  | { readonly kind: "ended"; readonly outages: readonly EndedOutage[] }
  | { readonly kind: "failed"; readonly message: string }
);

/** The thread's first word: what it found. */
export type Opened =
  | {
      readonly kind: "opened";
      readonly held: readonly Held[];
      readonly keys: KeyCounts;
      readonly damage: Damage | undefined;
    }
  | { readonly kind: "unusable"; readonly message: string };
