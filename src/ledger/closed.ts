import type pg from "pg";
import type { Replacements } from "./mentions.ts";

/** Writes a batch in one statement and answers one outcome a row. */
type Write<Row, Outcome> = (client: pg.Client, rows: readonly Row[]) => Promise<readonly Outcome[]>;

/** The closed wallets that this process has met (R11). */
export type ClosedWallets = {
  /**
   * The same way of writing, for rows of which some may name a closed wallet: the database refuses such a
   * batch whole and names what stands for the wallets, and it is written again with that in their place.
   * `hashed` gives a row with the wallets replaced; its neighbours in the batch stay as they are.
   */
  hashing<Row extends { readonly wallets: Replacements }, Outcome>(
    write: Write<Row, Outcome>,
    hashed: (row: Row, closed: Replacements) => Row,
  ): Write<Row, Outcome>;
};

export function createClosedWallets(): ClosedWallets {
  // Grows by one entry for each closed account that still sends; a closed wallet is never opened again.
  const known = new Set<string>();

  return {
    hashing(write, hashed) {
      const safe = <Row extends { readonly wallets: Replacements }>(
        row: Row,
        replace: (row: Row, closed: Replacements) => Row,
      ): Row => {
        const closed = [...row.wallets].filter(([, identity]) => known.has(identity));
        return closed.length === 0 ? row : replace(row, new Map(closed));
      };
      return async (client, rows) => {
        for (;;) {
          try {
            return await write(client, known.size === 0 ? rows : rows.map((row) => safe(row, hashed)));
          } catch (cause) {
            const refused = closedIdentities(cause);
            // Without a new one it would be refused for ever.
            if (refused === undefined || refused.every((identity) => known.has(identity))) throw cause;
            for (const identity of refused) known.add(identity);
          }
        }
      };
    },
  };
}

/** What stands for the wallets that ledger.refuse_closed refused a batch for. */
function closedIdentities(cause: unknown): readonly string[] | undefined {
  if (typeof cause !== "object" || cause === null || !("code" in cause) || cause.code !== "GV002")
    return undefined;
  const detail: unknown =
    "detail" in cause && typeof cause.detail === "string" ? JSON.parse(cause.detail) : undefined;
  if (!Array.isArray(detail)) return undefined;
  return detail.filter((identity) => typeof identity === "string");
}
