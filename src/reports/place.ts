/**
 * A reader's place: everything up to this report is behind it. One record may be reported several times
 * (R19: a KILL_SWITCH action), each time as another part.
 */
export type ReportPlace = { readonly epoch: number; readonly position: number; readonly part: number };

/** Stands behind every part: no record has this many. */
export const allParts = 99;

export function isBehind(
  one: { readonly position: number; readonly part: number },
  other: { readonly position: number; readonly part: number },
): boolean {
  return one.position > other.position || (one.position === other.position && one.part > other.part);
}

/** The position behind which a reader at this place has to read: its own again, where parts may be left. */
export function readFrom(place: ReportPlace): number {
  return place.part >= allParts ? place.position : Math.max(0, place.position - 1);
}
