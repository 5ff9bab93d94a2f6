/** Tiers, strictest first. */
export const tiers = ["P0", "P1", "P2", "P3"] as const;
export type Tier = (typeof tiers)[number];

export function isTier(text: string): text is Tier {
  return (tiers as readonly string[]).includes(text);
}

/**
 * A name as it compares (R24): case, "_" and "-" do not count, or risk.kill_switch would slip past a
 * pattern for risk.killswitch.
 */
export function nameKey(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, "");
}

/** A "bot_slug.param_name" pattern; "*" stands for any characters, dots too. */
export type Pattern = {
  readonly text: string;
  /** Characters that are not "*": how specific the pattern is. */
  readonly literals: number;
  matches(botKey: string, paramKey: string): boolean;
};

export function parsePattern(text: string): Pattern {
  const parts = text.split("*").map(nameKey);
  return {
    text,
    literals: parts.reduce((sum, part) => sum + part.length, 0),
    matches: (botKey, paramKey) => matchesParts(parts, `${botKey}.${paramKey}`),
  };
}

/** Each part between stars at its leftmost place behind the one before: linear, whatever the name. */
function matchesParts(parts: readonly string[], name: string): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (parts.length === 1) return name === first;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

export type TierRule = { readonly pattern: Pattern; readonly tier: Tier };

/**
 * The tier of a parameter (spec 002 §10 paramTierMap): the pattern with most literal characters wins, a
 * tie goes to the stricter tier. Without one: P0 for the service's own (gov.*), else P2.
 */
export function tierOf(rules: readonly TierRule[], botKey: string, paramKey: string): Tier {
  let best: TierRule | undefined;
  for (const rule of rules) {
    if (!rule.pattern.matches(botKey, paramKey)) continue;
    if (best === undefined || beats(rule, best)) best = rule;
  }
  if (best !== undefined) return best.tier;
  // The joined name decides, as it does for patterns, wherever the caller put the first dot.
  return `${botKey}.${paramKey}`.startsWith("gov.") ? "P0" : "P2";
}

function beats(rule: TierRule, other: TierRule): boolean {
  if (rule.pattern.literals !== other.pattern.literals) return rule.pattern.literals > other.pattern.literals;
  return tiers.indexOf(rule.tier) < tiers.indexOf(other.tier);
}
