import { StoreUnavailable } from "../../journal/commit.ts";
import { Failure } from "../../server/failure.ts";

/**
 * What the journal answers within the time, milliseconds. Throws STORE_UNAVAILABLE when it does not, and when
 * the database is away; what was sent may be on record then, and sending the same again is safe.
 */
export async function stored<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  const unavailable = (cause?: unknown) =>
    new Failure("STORE_UNAVAILABLE", "the audit log cannot take records now; send the same again", {
      retryAfterMs: 1000,
      cause,
    });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable()), withinMs);
  });
  try {
    return await Promise.race([answer, late]);
  } catch (cause) {
    throw cause instanceof StoreUnavailable ? unavailable(cause) : cause;
  } finally {
    clearTimeout(timer);
  }
}
