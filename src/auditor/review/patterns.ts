import { nameKey, type Tier, tiers } from "../tiers.ts";

/** Something of the tiers that its author may not have meant; the policy is good all the same. */
export type Remark =
  /** Whatever it matches, `by` matches too and wins, or says the same. */
  | { readonly kind: "never_decides"; readonly pattern: string; readonly by: string }
  /** It cannot match: every name has a dot between bot and parameter. */
  | { readonly kind: "matches_nothing"; readonly pattern: string }
  /** It matches names of gov.*, whose tier without a pattern is P0. */
  | { readonly kind: "lowers_gov"; readonly pattern: string }
  /** Both match some names, as specific as each other, and the stricter tier wins. */
  | { readonly kind: "tie"; readonly stricter: string; readonly laxer: string };

/** A pattern by what it matches: its literal characters, and before which of them any others may stand. */
type Shape = {
  readonly pattern: string;
  readonly tier: Tier;
  readonly literals: string;
  readonly stars: ReadonlySet<number>;
};

/**
 * What is worth knowing of the tiers, in their order. Of patterns with the same literal characters, one
 * matches all that another does exactly when it has stars wherever the other one has; of any others the more
 * specific one decides somewhere.
 */
export function remarksOn(rules: Readonly<Record<string, Tier>>): readonly Remark[] {
  const shapes = Object.entries(rules).map(([pattern, tier]) => shapeOf(pattern, tier));
  const remarks: Remark[] = [];
  for (const [i, one] of shapes.entries()) {
    if (one.stars.size === 0 && !one.literals.includes(".")) {
      remarks.push({ kind: "matches_nothing", pattern: one.pattern });
      continue;
    }
    const by = shapes.find((other, j) => i !== j && covers(other, one) && yields(one, other, j < i));
    if (by !== undefined) remarks.push({ kind: "never_decides", pattern: one.pattern, by: by.pattern });
    if (one.tier !== "P0" && !startsWithGov(one) && overlap(one, gov)) {
      remarks.push({ kind: "lowers_gov", pattern: one.pattern });
    }
    for (const other of shapes.slice(i + 1)) {
      if (one.tier === other.tier || one.literals.length !== other.literals.length) continue;
      if (covers(one, other) || covers(other, one) || !overlap(one, other)) continue;
      const isStricter = tiers.indexOf(one.tier) < tiers.indexOf(other.tier);
      const [stricter, laxer] = isStricter ? [one, other] : [other, one];
      remarks.push({ kind: "tie", stricter: stricter.pattern, laxer: laxer.pattern });
    }
  }
  return remarks;
}

function shapeOf(pattern: string, tier: Tier): Shape {
  const stars = new Set<number>();
  let literals = "";
  for (const [i, part] of pattern.split("*").entries()) {
    if (i > 0) stars.add(literals.length);
    literals += nameKey(part);
  }
  return { pattern, tier, literals, stars };
}

/** Whether all that `inner` matches is matched by `outer`, and none of the two is more specific. */
function covers(outer: Shape, inner: Shape): boolean {
  return outer.literals === inner.literals && [...inner.stars].every((at) => outer.stars.has(at));
}

/** Whether the other one wins, or both say the same and the other one matches more or comes first. */
function yields(one: Shape, other: Shape, isLater: boolean): boolean {
  const rank = tiers.indexOf(one.tier) - tiers.indexOf(other.tier);
  return rank > 0 || (rank === 0 && (other.stars.size > one.stars.size || isLater));
}

const gov = shapeOf("gov.*", "P0");

/** Whoever names gov means it. */
function startsWithGov({ literals, stars }: Shape): boolean {
  return literals.startsWith("gov") && ![0, 1, 2].some((at) => stars.has(at));
}

/** Whether some name is matched by both: step by step through both, as far as either can go. */
function overlap(a: Shape, b: Shape): boolean {
  const width = b.literals.length + 1;
  const reached = new Uint8Array((a.literals.length + 1) * width);
  reached[0] = 1;
  for (let i = 0; i <= a.literals.length; i++) {
    for (let j = 0; j <= b.literals.length; j++) {
      if (reached[i * width + j] === 0) continue;
      // A star takes what the other pattern has there; equal characters are taken by both.
      if (j < b.literals.length && a.stars.has(i)) reached[i * width + j + 1] = 1;
      if (i < a.literals.length && b.stars.has(j)) reached[(i + 1) * width + j] = 1;
      const isSame = i < a.literals.length && a.literals[i] === b.literals[j];
      if (isSame) reached[(i + 1) * width + j + 1] = 1;
    }
  }
  return reached.at(-1) === 1;
}
