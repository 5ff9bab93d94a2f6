import { hash } from "node:crypto";
import { isStopping, parseStopping, type StoppingRule } from "./stopping.ts";
import { parsePattern, type Tier, type TierRule, tierOf } from "./tiers.ts";

/** What the gate decides by (spec 002 §8, R5, R7, R24). */
export type Policy = {
  /** The first 16 hexadecimal digits of the policy's SHA-256. */
  readonly version: string;
  readonly mode: "shadow_only" | "enforce";
  readonly requireTicketFor: ReadonlySet<Tier>;
  readonly tiers: readonly TierRule[];
  /** Writes towards stopping: never behind a ticket (R7). */
  readonly stopping: readonly StoppingRule[];
};

/** The policy's part of the configuration. */
export type PolicySettings = {
  readonly mode: "shadow_only" | "enforce";
  readonly requireTicketFor: readonly Tier[];
  readonly tiers: Readonly<Record<string, Tier>>;
  readonly stopping: readonly string[];
};

export function createPolicy(settings: PolicySettings): Policy {
  const { mode } = settings;
  const requireTicketFor = [...settings.requireTicketFor].sort();
  const rules = Object.entries(settings.tiers).sort(([a], [b]) => (a < b ? -1 : 1));
  const stopping = [...settings.stopping].sort();
  return {
    version: hash("sha256", JSON.stringify({ mode, requireTicketFor, rules, stopping })).slice(0, 16),
    mode,
    requireTicketFor: new Set(requireTicketFor),
    tiers: rules.map(([text, tier]) => ({ pattern: parsePattern(text), tier })),
    stopping: stopping.map(parseStopping),
  };
}

export type TicketStatus = "NOT_REQUIRED" | "ABSENT" | "PRESENT";

export type Decision = {
  readonly verdict: "ALLOW" | "REJECT";
  /** Whether the write may proceed: always in shadow_only (R5). */
  readonly allowed: boolean;
  readonly reasonCode: "PARAM_CHANGED" | "AUDIT_TICKET_REQUIRED";
  readonly tier: Tier;
  readonly ticketStatus: TicketStatus;
};

/** The verdict on a write: of the request and the policy alone (spec 002 §12). */
export function decide(
  write: {
    readonly botKey: string;
    readonly paramKey: string;
    readonly newValue: { readonly canonical: string } | null;
    readonly ticketRef: string | null;
  },
  policy: Policy,
): Decision {
  const tier = tierOf(policy.tiers, write.botKey, write.paramKey);
  const needsTicket = policy.requireTicketFor.has(tier) && !isStopping(policy.stopping, write);
  // What is kept is what came; but blanks are no ticket, whatever a form sends for an empty box.
  const hasTicket = write.ticketRef !== null && write.ticketRef.trim() !== "";
  if (needsTicket && !hasTicket) {
    return {
      verdict: "REJECT",
      allowed: policy.mode === "shadow_only",
      reasonCode: "AUDIT_TICKET_REQUIRED",
      tier,
      ticketStatus: "ABSENT",
    };
  }
  const ticketStatus = hasTicket ? "PRESENT" : "NOT_REQUIRED";
  return { verdict: "ALLOW", allowed: true, reasonCode: "PARAM_CHANGED", tier, ticketStatus };
}
