import { SpoolRefused, StoreUnavailable } from "../journal/commit.ts";
import type { Journal } from "../journal/journal.ts";
import type { Buffered } from "../journal/spooled.ts";
import { Failure } from "../server/failure.ts";

/**
 * Appends to a journal. Throws STORE_UNAVAILABLE when the rows may not be durable, and SPOOL_FULL when neither
 * the database nor the spool takes them.
 */
export async function store<Row, Outcome>(
  journal: Journal<Row, Outcome>,
  orderKey: string,
  rows: readonly Row[],
): Promise<readonly (Outcome | Buffered)[]> {
  try {
    return await journal.append(orderKey, rows);
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause;
    const reason = cause instanceof SpoolRefused ? "SPOOL_FULL" : "STORE_UNAVAILABLE";
    const text = "the ledger cannot take records now; send the same again";
    throw new Failure(reason, text, { retryAfterMs: 1000, cause });
  }
}
