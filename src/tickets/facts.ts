import type { Pattern } from "../auditor/tiers.ts";

/** What a ticket system says of a ticket: facts, so that they can be judged as of another time too. */
export type TicketFacts =
  /** There is none, or none that may be used; and why. */
  | { readonly kind: "unusable"; readonly why: UnusableWhy }
  | {
      readonly kind: "found";
      /** Microseconds; undefined when not told. */
      readonly createdMicros: number | undefined;
      /** undefined while it is open. */
      readonly closed: { readonly sinceMicros: number | undefined } | undefined;
      /** From then on it is no longer good, microseconds. */
      readonly expiresMicros: number | undefined;
      /** The parameters it is for (R24); empty: all. */
      readonly scope: readonly Pattern[];
    };

type UnusableWhy =
  /** The reference cannot be one of the system's. */
  | "not_a_key"
  | "not_found"
  | "wrong_project"
  | "closed"
  | "expired"
  /** It is for other parameters. */
  | "other_parameter"
  | "refused";

/** Why a ticket does not cover a write. */
export type InvalidWhy =
  | UnusableWhy
  /** It is closed now, and nothing tells since when. */
  | "closed_since_unknown";

export type Judgement = { readonly kind: "valid" } | { readonly kind: "invalid"; readonly why: InvalidWhy };

const valid: Judgement = { kind: "valid" };

/** A ticket created this much later than the write is still taken for an earlier one: clocks differ. */
const clockSkewMicros = 60_000_000;

/** Whether the ticket covered a write to the parameter at the time, microseconds (R7). */
export function judge(
  facts: TicketFacts,
  parameter: { readonly botKey: string; readonly paramKey: string },
  atMicros: number,
): Judgement {
  if (facts.kind === "unusable") return { kind: "invalid", why: facts.why };
  const { createdMicros, closed, expiresMicros, scope } = facts;
  if (createdMicros !== undefined && createdMicros > atMicros + clockSkewMicros)
    return { kind: "invalid", why: "not_found" };
  if (scope.length > 0 && !scope.some(({ matches }) => matches(parameter.botKey, parameter.paramKey)))
    return { kind: "invalid", why: "other_parameter" };
  if (expiresMicros !== undefined && expiresMicros <= atMicros) return { kind: "invalid", why: "expired" };
  if (closed === undefined) return valid;
  if (closed.sinceMicros === undefined) return { kind: "invalid", why: "closed_since_unknown" };
  return closed.sinceMicros <= atMicros ? { kind: "invalid", why: "closed" } : valid;
}
