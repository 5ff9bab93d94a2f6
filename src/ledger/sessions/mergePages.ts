import type { FoundPage } from "../../log/pageQuery.ts";
import type { Place } from "../../log/place.ts";

/**
 * Merges pages of several kinds of records, each oldest first behind the same place, into one page of at
 * most `limit`. Behind the end of a page that has more, others' records cannot be shown yet: what its next
 * page holds may lie before them. One transaction writes records of one kind, so no two of different kinds
 * share a place.
 */
export function mergePages<T extends { readonly place: Place }>(
  pages: readonly FoundPage<T>[],
  limit: number,
): FoundPage<T> {
  const ends = pages.flatMap(({ records, more }) => (more ? records.slice(-1) : []));
  const all = pages.flatMap(({ records }) => records).sort((a, b) => comparePlaces(a.place, b.place));
  const known = all.filter((record) => ends.every((end) => comparePlaces(record.place, end.place) <= 0));
  const records = known.slice(0, limit);
  return { records, more: records.length < all.length || ends.length > 0 };
}

/** Places in log order, as the database sorts (epoch, xid, ord). */
function comparePlaces(a: Place, b: Place): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (a.xid !== b.xid) return BigInt(a.xid) < BigInt(b.xid) ? -1 : 1;
  return a.ord - b.ord;
}
