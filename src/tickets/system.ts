import type { TicketFacts } from "./facts.ts";
import type { JsonAnswer, JsonRequest } from "./http.ts";

/** The write whose ticket is asked about. */
export type TicketQuestion = {
  /** As it came: untrusted. */
  readonly ticketRef: string;
  readonly botSlug: string;
  readonly paramName: string;
  readonly botKey: string;
  readonly paramKey: string;
  readonly acceptedMicros: number;
};

/** The border to a ticket system: how it is asked, and how its answers are read. */
export type TicketSystem = {
  /** What answers are kept and shared under; undefined when the reference cannot be one of the system's. */
  keyOf(question: TicketQuestion): string | undefined;
  /** Whether an answer is for the time asked about alone. */
  readonly answersAsOf: boolean;
  /** Only for a question that has a key. */
  request(question: TicketQuestion): JsonRequest;
  /** What the answer says; undefined when it is not one of the system's. */
  read(answer: JsonAnswer, question: TicketQuestion): TicketFacts | undefined;
};
