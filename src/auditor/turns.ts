/** Keeps the order of writes to one parameter while some of them wait for their tickets. */
export type Turns = {
  /**
   * Calls `use` with what was prepared, once it is there and all earlier ones of the key have begun; at
   * once when nothing is to be waited for. `preparing` does not reject.
   */
  take<T, R>(key: string, preparing: T | Promise<T>, use: (prepared: T) => Promise<R>): Promise<R>;
};

export function createTurns(): Turns {
  const latest = new Map<string, Promise<unknown>>();
  return {
    async take(key, preparing, use) {
      const before = latest.get(key);
      if (before === undefined && !(preparing instanceof Promise)) return use(preparing);
      const turn = (async () => {
        const prepared = await preparing;
        await before;
        return { begun: use(prepared) };
      })();
      latest.set(key, turn);
      const { begun } = await turn;
      if (latest.get(key) === turn) latest.delete(key);
      return begun;
    },
  };
}
