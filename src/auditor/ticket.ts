import { judge, type TicketFacts } from "../tickets/facts.ts";
import type { TicketLookups } from "../tickets/lookups.ts";
import { hasBreakGlass, hasTicketRef, needsTicket, type Policy, type Ticket } from "./policy.ts";
import type { Write } from "./write.ts";

/** What was found of a ticket, not yet judged. */
export type FoundTicket =
  | Exclude<Ticket, { kind: "valid" | "invalid" }>
  | { readonly kind: "facts"; readonly facts: TicketFacts };

/**
 * What is known of the write's ticket. Only one that the write needs is asked for, within `withinMs`; of
 * any other, as of break-glass or a write towards stopping (R7), what is known at once is all: nothing waits for it.
 */
export function findTicket(
  write: Write,
  policy: Policy,
  lookups: TicketLookups | undefined,
  acceptedMicros: number,
  withinMs: number,
): FoundTicket | Promise<FoundTicket> {
  if (!hasTicketRef(write)) return { kind: "absent" };
  if (lookups === undefined) return { kind: "unchecked" };
  const { ticketRef, botSlug, paramName, botKey, paramKey } = write;
  const question = { ticketRef: ticketRef ?? "", botSlug, paramName, botKey, paramKey, acceptedMicros };
  const facts = lookups.known(question);
  if (facts !== undefined) return { kind: "facts", facts };
  if (!needsTicket(write, policy) || hasBreakGlass(write)) return { kind: "unchecked" };
  return lookups
    .lookUp(question, withinMs)
    .then((told) => (told === undefined ? { kind: "unverified" } : { kind: "facts", facts: told }));
}

/** The ticket as of the time the write was accepted, microseconds. */
export function ticketAsOf(
  found: FoundTicket,
  write: { readonly botKey: string; readonly paramKey: string },
  acceptedMicros: number,
): Ticket {
  return found.kind === "facts" ? judge(found.facts, write, acceptedMicros) : found;
}
