/**
 * Works on inputs side by side and yields the outcomes in the order of the inputs. At most `underWay`
 * are begun and not yet taken: who does not take outcomes is not read from. Each piece of work begins
 * in order. Throws the first failure of the work or of the inputs, or the signal's reason.
 */
export async function* inOrder<In, Out>(
  inputs: AsyncIterable<In>,
  work: (input: In) => Promise<Out>,
  options: { readonly underWay: number; readonly stop: AbortSignal },
): AsyncGenerator<Out> {
  const begun: Promise<Out>[] = [];
  let wakeReader: (() => void) | undefined;
  let wakeWriter: (() => void) | undefined;
  let readerFailure: { readonly cause: unknown } | undefined;
  let ended = false;
  let left = false;

  async function readAll(): Promise<void> {
    try {
      for await (const input of inputs) {
        while (begun.length >= options.underWay && !left) {
          await new Promise<void>((resolve) => {
            wakeReader = resolve;
          });
        }
        if (left) return;
        const outcome = work(input);
        outcome.catch(() => undefined); // It is awaited in its turn; until then its failure is not unhandled.
        begun.push(outcome);
        wakeWriter?.();
      }
    } catch (cause) {
      readerFailure = { cause };
    } finally {
      ended = true;
      wakeWriter?.();
    }
  }

  const stopped = () => wakeWriter?.();
  options.stop.addEventListener("abort", stopped);
  void readAll();
  try {
    for (;;) {
      options.stop.throwIfAborted();
      const oldest = begun[0];
      if (oldest !== undefined) {
        const outcome = await oldest;
        begun.shift();
        wakeReader?.();
        yield outcome;
      } else if (readerFailure !== undefined) {
        throw readerFailure.cause;
      } else if (ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wakeWriter = resolve;
        });
      }
    }
  } finally {
    left = true;
    wakeReader?.();
    options.stop.removeEventListener("abort", stopped);
  }
}
