/** More groups than anybody reads; what is beyond is counted as such. */
const groupsMax = 20_000;

/** How often something happened, by a key of several texts, in bounded memory. */
export type Counts<Key extends readonly string[]> = {
  /** Times of RFC 3339 in UTC, in any order. */
  add(key: Key, time: string): void;
  /** 0 of a key that had no place. */
  countOf(key: Key): number;
  /** The most frequent first. */
  rows(): readonly Counted<Key>[];
  /** How many had no place. */
  omitted(): number;
};

export type Counted<Key> = {
  readonly key: Key;
  readonly count: number;
  readonly first: string;
  readonly last: string;
};

export function createCounts<Key extends readonly string[]>(): Counts<Key> {
  const groups = new Map<string, { key: Key; count: number; first: string; last: string }>();
  let omitted = 0;
  return {
    add(key, time) {
      const id = JSON.stringify(key);
      const group = groups.get(id);
      if (group !== undefined) {
        group.count++;
        if (isBefore(time, group.first)) group.first = time;
        if (isBefore(group.last, time)) group.last = time;
      } else if (groups.size < groupsMax) groups.set(id, { key, count: 1, first: time, last: time });
      else omitted++;
    },
    countOf: (key) => groups.get(JSON.stringify(key))?.count ?? 0,
    rows: () => [...groups.values()].sort((a, b) => b.count - a.count),
    omitted: () => omitted,
  };
}

/** Compared without the Z, behind which no digit of the second may come. */
function isBefore(time: string, other: string): boolean {
  return time.replace("Z", "") < other.replace("Z", "");
}
