import { SpanKind } from "@opentelemetry/api";
import type { Decided, Gate } from "../auditor/gate.ts";
import { nameKey } from "../auditor/tiers.ts";
import type { TicketLookups } from "../tickets/lookups.ts";
import type { Place, Spans } from "./spans.ts";

/** A span for each verdict, with what it says: of the write itself only the bot, where the config file names it (R8). */
export function tracedGate(gate: Gate, named: () => ReadonlyMap<string, string>, spans: Spans): Gate {
  async function told(deciding: Promise<Decided>, place: Place | undefined): Promise<Decided> {
    const decided = await deciding;
    const { record, kind } = decided;
    place?.span.setAttributes({
      "governance.bot_slug": named().get(nameKey(record.botSlug)) ?? "OTHER",
      "governance.verdict": record.verdict,
      "governance.reason_code": record.reasonCode,
      "governance.mode": record.mode,
      "governance.param_tier": record.tier,
      "governance.ticket_status": record.ticketStatus,
      "governance.decided": kind,
    });
    return decided;
  }
  return {
    tryOut: (write, subject) =>
      spans.below("decide", {}, (place) => told(gate.tryOut(write, subject), place)),
    decideAndRecord: (write, subject, receivedMs) =>
      spans.below("decide", {}, (place) => told(gate.decideAndRecord(write, subject, receivedMs), place)),
  };
}

/** A span for each ticket that is asked about while a write waits. */
export function tracedTickets(
  get: () => TicketLookups | undefined,
  spans: Spans,
): () => TicketLookups | undefined {
  let of: TicketLookups | undefined;
  let traced: TicketLookups | undefined;
  return () => {
    const current = get();
    if (current !== of) {
      of = current;
      traced = current && tracedLookUp(current, spans);
    }
    return traced;
  };
}

function tracedLookUp(lookups: TicketLookups, spans: Spans): TicketLookups {
  return {
    ...lookups,
    lookUp: (question, withinMs) =>
      spans.below("look up ticket", { kind: SpanKind.CLIENT }, async (place) => {
        const facts = await lookups.lookUp(question, withinMs);
        place?.span.setAttribute("governance.ticket_facts", facts?.kind ?? "none");
        return facts;
      }),
  };
}
