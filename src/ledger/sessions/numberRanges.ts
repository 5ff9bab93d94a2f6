/** Numbers of a session's actions, both ends included. */
export type NumberRange = { readonly first: bigint; readonly last: bigint };

/** Ranges that are told of one session at most; of a producer that numbers at random there can be millions. */
export const toldRangesMax = 1000;

const one = /[[(](-?\d+),(-?\d+)[\])]/g;

/**
 * The first toldRangesMax ranges of an int8multirange's text as the database keeps session numbers: the
 * number n is the range [n - 1, n), so "{[2,5)}" are the numbers 3 to 5.
 */
export function numberRanges(multirange: string): readonly NumberRange[] {
  const ranges: NumberRange[] = [];
  for (const [, lower, upper] of multirange.matchAll(one)) {
    if (lower === undefined || upper === undefined) continue;
    ranges.push({ first: BigInt(lower) + 1n, last: BigInt(upper) });
    if (ranges.length === toldRangesMax) break;
  }
  return ranges;
}

/** For people and logs: "3-5, 9". */
export function textOfRanges(ranges: readonly NumberRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}
