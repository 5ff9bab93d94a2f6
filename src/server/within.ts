import { Failure } from "./failure.ts";

/**
 * What is read within the time, milliseconds; `otherwise` when it comes later or the store is away: for what
 * a record's answer can do without. Any other failure is passed on.
 */
export async function within<T, U>(reading: Promise<T>, ms: number, otherwise: U): Promise<T | U> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<U>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms), otherwise);
  });
  try {
    return await Promise.race([reading, late]);
  } catch (cause) {
    if (cause instanceof Failure && cause.reason === "STORE_UNAVAILABLE") return otherwise;
    throw cause;
  } finally {
    clearTimeout(timer);
    reading.catch(() => undefined); // When it was late, its end is nobody's.
  }
}
