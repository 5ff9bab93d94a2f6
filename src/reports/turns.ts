/** Lets at most `most` go at a time; the others wait in the order in which they came. */
export function createTurns(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let underWay = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (underWay >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else underWay++;
    try {
      return await work();
    } finally {
      // The turn goes straight to the next one.
      const next = waiting.shift();
      if (next === undefined) underWay--;
      else next();
    }
  };
}
