/** Counts what has begun and not ended yet. */
export type UnderWay = {
  begin(): void;
  end(): void;
  /** Resolves as soon as nothing is under way. */
  none(): Promise<void>;
};

export function createUnderWay(): UnderWay {
  let count = 0;
  let waiting: (() => void)[] = [];
  return {
    begin() {
      count++;
    },
    end() {
      count--;
      if (count > 0 || waiting.length === 0) return;
      for (const resolve of waiting) resolve();
      waiting = [];
    },
    none() {
      return count === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
    },
  };
}
