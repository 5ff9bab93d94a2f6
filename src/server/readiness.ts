/**
 * Whether `ask` is answered within the given milliseconds. Callers at the same time share one question, and
 * while one is not answered no other is asked: whoever polls cannot pile them up.
 */
export function createReadiness(ask: () => Promise<unknown>, withinMs: number): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined;

  function answered(): Promise<boolean> {
    asked ??= ask()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asked = undefined;
      });
    return asked;
  }

  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, withinMs, false);
    });
    try {
      return await Promise.race([answered(), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}
