import { hash } from "node:crypto";
import type { InvalidWhy } from "../tickets/facts.ts";
import { isStopping, parseStopping, type StoppingRule } from "./stopping.ts";
import { type Pattern, parsePattern, type Tier, type TierRule, tierOf, tiers } from "./tiers.ts";

/** What the gate decides by (spec 002 §8, R5, R7, R24). */
export type Policy = {
  /** The first 16 hexadecimal digits of the policy's SHA-256. */
  readonly version: string;
  readonly mode: "shadow_only" | "enforce";
  readonly requireTicketFor: ReadonlySet<Tier>;
  readonly tiers: readonly TierRule[];
  /** Writes towards stopping: never behind a ticket (R7). */
  readonly stopping: readonly StoppingRule[];
  /** Tiers whose writes are rejected while the ticket system is down or slow (R7); others are let through. */
  readonly rejectUnverified: ReadonlySet<Tier>;
  /** Whose writes nobody is paged for (R16), by the token's subject. */
  readonly automation: ReadonlyMap<string, readonly Pattern[]>;
};

/** The policy's part of the configuration. */
export type PolicySettings = {
  readonly mode: "shadow_only" | "enforce";
  readonly requireTicketFor: readonly Tier[];
  readonly tiers: Readonly<Record<string, Tier>>;
  readonly stopping: readonly string[];
  /** Absent: allow, for every tier. */
  readonly onTicketSystemDown?: Readonly<Partial<Record<Tier, "allow" | "reject">>>;
  /** Absent: none. */
  readonly automation?: readonly { readonly subject: string; readonly pattern: string }[];
};

export function createPolicy(settings: PolicySettings): Policy {
  const { mode } = settings;
  const requireTicketFor = [...settings.requireTicketFor].sort();
  const rules = Object.entries(settings.tiers).sort(([a], [b]) => (a < b ? -1 : 1));
  const stopping = [...settings.stopping].sort();
  const rejectUnverified = tiers.filter((tier) => settings.onTicketSystemDown?.[tier] === "reject");
  const automation = (settings.automation ?? []).map(({ subject, pattern }) => [subject, pattern] as const);
  automation.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  const content = { mode, requireTicketFor, rules, stopping, rejectUnverified, automation };
  return {
    version: hash("sha256", JSON.stringify(content)).slice(0, 16),
    mode,
    requireTicketFor: new Set(requireTicketFor),
    tiers: rules.map(([text, tier]) => ({ pattern: parsePattern(text), tier })),
    stopping: stopping.map(parseStopping),
    rejectUnverified: new Set(rejectUnverified),
    automation: patternsBySubject(automation),
  };
}

function patternsBySubject(
  automation: readonly (readonly [subject: string, pattern: string])[],
): ReadonlyMap<string, readonly Pattern[]> {
  const bySubject = new Map<string, Pattern[]>();
  for (const [subject, text] of automation) {
    const patterns = bySubject.get(subject) ?? [];
    patterns.push(parsePattern(text));
    bySubject.set(subject, patterns);
  }
  return bySubject;
}

/**
 * Whether the policy names the token's subject as automation for the parameter (R16). It bears on pages
 * alone, never on the verdict.
 */
export function isAutomated(
  policy: Policy,
  subject: string,
  { botKey, paramKey }: { readonly botKey: string; readonly paramKey: string },
): boolean {
  return policy.automation.get(subject)?.some((pattern) => pattern.matches(botKey, paramKey)) ?? false;
}

/** What is known of a write's ticket. */
export type Ticket =
  | { readonly kind: "absent" }
  /** There is one, and nobody looked: no ticket system is configured, or the write needs no ticket. */
  | { readonly kind: "unchecked" }
  | { readonly kind: "valid" }
  | { readonly kind: "invalid"; readonly why: InvalidWhy }
  /** The ticket system did not tell in time. */
  | { readonly kind: "unverified" };

export type TicketStatus = "NOT_REQUIRED" | "ABSENT" | "PRESENT" | "VALID" | "INVALID" | "UNVERIFIED";

export type Decision = {
  readonly verdict: "ALLOW" | "REJECT";
  /** Whether the write may proceed: always in shadow_only (R5). */
  readonly allowed: boolean;
  readonly reasonCode:
    | "PARAM_CHANGED"
    | "BREAK_GLASS_USED"
    | "AUDIT_TICKET_REQUIRED"
    | "AUDIT_TICKET_INVALID";
  readonly tier: Tier;
  readonly ticketStatus: TicketStatus;
  /** The policy it was given under. */
  readonly policyVersion: string;
};

/** What of a write the verdict depends on. */
export type DecidedWrite = {
  readonly botKey: string;
  readonly paramKey: string;
  readonly newValue: { readonly canonical: string } | null;
  /** Given: the write is break-glass, by a caller who may. */
  readonly breakGlassReason?: string | null;
};

/** Whether there is a ticket: what is kept is what came, but blanks are none, whatever an empty box sends. */
export function hasTicketRef(write: { readonly ticketRef: string | null }): boolean {
  return write.ticketRef !== null && write.ticketRef.trim() !== "";
}

/** Whether the write passes without a ticket because of a stated emergency. */
export function hasBreakGlass({ breakGlassReason }: DecidedWrite): boolean {
  return breakGlassReason !== undefined && breakGlassReason !== null;
}

/** Whether the write may not pass without a ticket, but for break-glass. */
export function needsTicket(write: DecidedWrite, policy: Policy): boolean {
  return (
    policy.requireTicketFor.has(tierOf(policy.tiers, write.botKey, write.paramKey)) &&
    !isStopping(policy.stopping, write)
  );
}

/** Of a ticket, what the verdict depends on. */
export type TicketKind = { readonly kind: Ticket["kind"] };

/** The verdict on a write: of the request, the policy and its ticket alone (spec 002 §12, R7). */
export function decide(write: DecidedWrite, policy: Policy, ticket: TicketKind): Decision {
  const tier = tierOf(policy.tiers, write.botKey, write.paramKey);
  const needed = needsTicket(write, policy);
  const isBreakGlass = hasBreakGlass(write);
  const refusal = needed && !isBreakGlass ? refusalFor(ticket, policy.rejectUnverified.has(tier)) : undefined;
  return {
    verdict: refusal === undefined ? "ALLOW" : "REJECT",
    allowed: refusal === undefined || policy.mode === "shadow_only",
    reasonCode: isBreakGlass ? "BREAK_GLASS_USED" : (refusal ?? "PARAM_CHANGED"),
    tier,
    ticketStatus: statusOf(ticket, needed),
    policyVersion: policy.version,
  };
}

/** Why a write that needs a ticket is rejected. One that nobody could check is no proof of a false one. */
function refusalFor(
  ticket: TicketKind,
  rejectUnverified: boolean,
): "AUDIT_TICKET_REQUIRED" | "AUDIT_TICKET_INVALID" | undefined {
  switch (ticket.kind) {
    case "absent":
      return "AUDIT_TICKET_REQUIRED";
    case "invalid":
      return "AUDIT_TICKET_INVALID";
    case "unverified":
      return rejectUnverified ? "AUDIT_TICKET_REQUIRED" : undefined;
    case "unchecked":
    case "valid":
      return undefined;
  }
}

function statusOf(ticket: TicketKind, needed: boolean): TicketStatus {
  switch (ticket.kind) {
    case "absent":
      return needed ? "ABSENT" : "NOT_REQUIRED";
    case "unchecked":
      return "PRESENT";
    case "valid":
      return "VALID";
    case "invalid":
      return "INVALID";
    case "unverified":
      return "UNVERIFIED";
  }
}
