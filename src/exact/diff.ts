import microdiff, { type Difference } from "microdiff";
import { type Outline, outline } from "./outline.ts";
import { pointerStep } from "./pointer.ts";

/** One difference between two values. */
export type FieldDiff = {
  /** JSON Pointer; "" for the values themselves. Arrays are compared index by index. */
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  /** The value there as it stands in the old text, digit for digit; absent when added. */
  readonly oldJson?: string;
  /** The value there as it stands in the new text, digit for digit; absent when removed. */
  readonly newJson?: string;
};

export type ExactDiff = {
  readonly changes: FieldDiff[];
  /** Differences beyond those listed. */
  readonly omitted: number;
};

// A long key above a thousand changes stands in each of their paths.
const MAX_PATH_CHARS = 256 * 1024;

const KINDS = { CREATE: "added", REMOVE: "removed", CHANGE: "changed" } as const;

// Two objects, or two arrays, at the same path of both values.
type Pair = {
  readonly before: Outline;
  readonly after: Outline;
  readonly parent: Pair | undefined;
  readonly step: string | number;
};

type Found = {
  readonly type: Difference["type"];
  readonly pair: Pair;
  readonly step: string | number;
  /** Where it stands in the old text; what was added, in the new one. */
  readonly offset: number;
};

/**
 * What differs between two exact JSON texts that scanJson has accepted; undefined is no value at all, which
 * null is not. Values are compared as canonical texts are: 1.10 and 1.1 are equal, 0 and -0 are not. First
 * what was changed or removed, in the order of the old text, then what was added, in the order of the new.
 * Lists at most `limit` changes, and fewer when their paths have over 256 Ki characters together.
 */
export function diffExact(
  oldText: string | undefined,
  newText: string | undefined,
  limit: number,
): ExactDiff {
  if (oldText === newText) return { changes: [], omitted: 0 };
  const found = findDifferences(outline(oldText), outline(newText)).sort(byOffset);
  const changes: FieldDiff[] = [];
  let pathChars = 0;
  for (const { type, pair, step } of found) {
    if (changes.length >= limit) break;
    const path = pointer(pair, step);
    pathChars += path.length;
    if (pathChars > MAX_PATH_CHARS) break;
    changes.push({
      path,
      kind: KINDS[type],
      ...(type === "CREATE" ? {} : { oldJson: textAt(oldText, pair.before, step) }),
      ...(type === "REMOVE" ? {} : { newJson: textAt(newText, pair.after, step) }),
    });
  }
  return { changes, omitted: found.length - changes.length };
}

// One level at a time: microdiff's own descent costs each difference a copy of its path at every level.
function findDifferences(before: Outline, after: Outline): Found[] {
  const found: Found[] = [];
  const pairs: Pair[] = [{ before, after, parent: undefined, step: 0 }];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    for (const { type, path } of microdiff(pair.before.tokens, pair.after.tokens, { cyclesFix: false })) {
      const step = path[0] ?? 0;
      const offset = (type === "CREATE" ? pair.after : pair.before).start(step);
      found.push({ type, pair, step, offset });
    }
    for (const [step, child] of pair.before.nested) {
      const other = pair.after.nested.get(step);
      if (other === undefined || other.isArray !== child.isArray) continue;
      pairs.push({ before: child, after: other, parent: pair, step });
    }
  }
  return found;
}

function byOffset(a: Found, b: Found): number {
  if ((a.type === "CREATE") !== (b.type === "CREATE")) return a.type === "CREATE" ? 1 : -1;
  return a.offset - b.offset;
}

// The outermost pair is the array that outline() puts around both values: its step is no part of the path.
function pointer(pair: Pair, step: string | number): string {
  const steps: string[] = [];
  let at: string | number = step;
  for (let up: Pair | undefined = pair; up?.parent !== undefined; up = up.parent) {
    steps.push(pointerStep(at));
    at = up.step;
  }
  return steps.reverse().join("");
}

function textAt(text: string | undefined, container: Outline, step: string | number): string {
  return text?.slice(container.start(step), container.end(step)) ?? "";
}
