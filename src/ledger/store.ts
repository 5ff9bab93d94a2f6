import { type Journal, StoreUnavailable } from "../journal/journal.ts";
import { Failure } from "../server/failure.ts";

/** Appends to a journal. Throws STORE_UNAVAILABLE when the rows may not be durable. */
export async function store<Row, Outcome>(
  journal: Journal<Row, Outcome>,
  orderKey: string,
  rows: readonly Row[],
): Promise<readonly Outcome[]> {
  try {
    return await journal.append(orderKey, rows);
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    const text = "the ledger cannot take records now; send the same again";
    throw new Failure("STORE_UNAVAILABLE", text, { retryAfterMs: 1000, cause });
  }
}
