import { scanJson } from "../exact/json.ts";
import { type Pattern, parsePattern } from "./tiers.ts";

/** Writes towards stopping (R7): to these parameters, of this value. */
export type StoppingRule = {
  readonly pattern: Pattern;
  /** The canonical form of the value that stops; undefined: every write to the parameter does. */
  readonly stops: string | undefined;
};

const valueLimits = { maxBytes: 640, maxDepth: 32, root: "any" } as const;

/**
 * Reads "bot_slug.param_name=JSON", e.g. "risk.killswitch.*=true": writes of that value stop, any other
 * undoes it and needs its ticket. A pattern alone is for parameters that can only stop.
 */
export function parseStopping(text: string): StoppingRule {
  const at = text.lastIndexOf("=");
  const value = at === -1 ? undefined : scanJson(text.slice(at + 1), valueLimits);
  if (value?.kind !== "ok") return { pattern: parsePattern(text), stops: undefined };
  return { pattern: parsePattern(text.slice(0, at).trim()), stops: value.value.canonical };
}

/** Whether the write is towards stopping, so that it must never wait for a ticket. */
export function isStopping(
  rules: readonly StoppingRule[],
  write: {
    readonly botKey: string;
    readonly paramKey: string;
    readonly newValue: { readonly canonical: string } | null;
  },
): boolean {
  return rules.some(
    ({ pattern, stops }) =>
      pattern.matches(write.botKey, write.paramKey) &&
      (stops === undefined || stops === write.newValue?.canonical),
  );
}
