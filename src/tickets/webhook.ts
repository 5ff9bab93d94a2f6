import { z } from "zod";
import { parsePattern } from "../auditor/tiers.ts";
import { textOfMicros } from "../time.ts";
import type { TicketFacts } from "./facts.ts";
import type { WebhookSettings } from "./settings.ts";
import type { TicketQuestion, TicketSystem } from "./system.ts";
import { microsOfTime } from "./times.ts";

const time = z.string().refine((text) => microsOfTime(text) !== undefined);

const verdict = z.object({
  valid: z.boolean(),
  reason: z.enum(["not_found", "closed", "expired", "other_parameter", "refused"]).nullish().catch("refused"),
  closed_at: time.nullish(),
  expires_at: time.nullish(),
  scope: z.array(z.string()).nullish(),
});

/** A webhook of one's own: one POST a question, answered with a verdict. */
export function createWebhook(settings: WebhookSettings, token: string | undefined): TicketSystem {
  const url = new URL(settings.url);
  const headers = {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return {
    keyOf: ({ ticketRef, botKey, paramKey }) => JSON.stringify([ticketRef.trim(), botKey, paramKey]),
    answersAsOf: true,
    request: (question) => ({ method: "POST", url, headers, body: JSON.stringify(asked(question)) }),
    read({ status, body }) {
      const parsed = verdict.safeParse(body);
      return status === 200 && parsed.success ? factsOf(parsed.data) : undefined;
    },
  };
}

function asked(question: TicketQuestion) {
  return {
    ticket_ref: question.ticketRef.trim(),
    bot_slug: question.botSlug,
    param_name: question.paramName,
    accepted_at: textOfMicros(question.acceptedMicros),
  };
}

function factsOf(answer: z.infer<typeof verdict>): TicketFacts {
  if (!answer.valid) return { kind: "unusable", why: answer.reason ?? "refused" };
  const closedMicros = microsOfTime(answer.closed_at);
  return {
    kind: "found",
    createdMicros: undefined,
    closed: closedMicros === undefined ? undefined : { sinceMicros: closedMicros },
    expiresMicros: microsOfTime(answer.expires_at),
    scope: (answer.scope ?? []).map(parsePattern),
  };
}
