// Below this many, moving them one by one beats Array.sort, which allocates.
const FEW = 24;

/**
 * Sorts an object's keys by UTF-16 code unit, and its members along with them, in place. Returns a key that
 * stands there twice, if there is one.
 */
export function sortMembers(keys: string[], members: string[]): string | undefined {
  if (keys.length <= FEW) insertionSort(keys, members);
  else sortByIndex(keys, members);
  for (let i = 1; i < keys.length; i++) {
    if (keys[i] === keys[i - 1]) return keys[i];
  }
  return undefined;
}

function insertionSort(keys: string[], members: string[]): void {
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? "";
    const member = members[i] ?? "";
    let to = i;
    for (; to > 0; to--) {
      const before = keys[to - 1] ?? "";
      if (before <= key) break;
      keys[to] = before;
      members[to] = members[to - 1] ?? "";
    }
    keys[to] = key;
    members[to] = member;
  }
}

function sortByIndex(keys: string[], members: string[]): void {
  const pairs = keys.map((key, i) => ({ key, member: members[i] ?? "" }));
  pairs.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  pairs.forEach(({ key, member }, i) => {
    keys[i] = key;
    members[i] = member;
  });
}
