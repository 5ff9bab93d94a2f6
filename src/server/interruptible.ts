/**
 * A source whose reader can be freed: after `interrupt` the next step throws what it was called with,
 * though the source may never answer.
 */
export function interruptible<T>(source: AsyncIterable<T>): {
  readonly items: AsyncGenerator<T>;
  interrupt(cause: unknown): void;
} {
  let interruption: { readonly cause: unknown } | undefined;
  let failStep: ((cause: unknown) => void) | undefined;

  async function* read(): AsyncGenerator<T> {
    const iterator = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        if (interruption !== undefined) throw interruption.cause;
        const step = await new Promise<IteratorResult<T>>((resolve, reject) => {
          failStep = reject;
          iterator.next().then(resolve, reject);
        });
        if (step.done) return;
        yield step.value;
      }
    } finally {
      const ending = iterator.return?.();
      // A source in the midst of a step ends after it: nobody waits for that.
      if (interruption === undefined) await ending;
      else ending?.catch(() => undefined);
    }
  }

  return {
    items: read(),
    interrupt(cause) {
      interruption ??= { cause };
      failStep?.(interruption.cause);
    },
  };
}
