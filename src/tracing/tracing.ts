import type { Logger } from "pino";
import type { Gate } from "../auditor/gate.ts";
import type { JournalTrace } from "../journal/trace.ts";
import type { Pipeline } from "../server/pipeline.ts";
import type { TicketLookups } from "../tickets/lookups.ts";
import type { TracingSettings } from "./settings.ts";

/** Puts spans around the parts of the service. What is handed in is handed back as it is while tracing is off. */
export type Tracing = {
  /** A span for each call, under the caller's own when it sends a traceparent. */
  pipeline(pipeline: Pipeline): Pipeline;
  /** A span for each verdict. `named` tells the bots that may be named in it, by their keys. */
  gate(gate: Gate, named: () => ReadonlyMap<string, string>): Gate;
  /** A span for each ticket that a verdict waits for. */
  tickets(get: () => TicketLookups | undefined): () => TicketLookups | undefined;
  /** What a journal tells; undefined: nothing is asked of it. */
  journal(name: string): JournalTrace | undefined;
  /** Lines that are logged in a call get its trace's id as otel_trace_id. */
  log(log: Logger): Logger;
  /** Sends what has not been sent, within so many milliseconds. */
  close(withinMs: number): Promise<void>;
};

export type TracingLimits = {
  /** How long a span waits at most for others to be sent with. */
  readonly tracesEveryMs: number;
};

const off: Tracing = {
  pipeline: (pipeline) => pipeline,
  gate: (gate) => gate,
  tickets: (get) => get,
  journal: () => undefined,
  log: (log) => log,
  close: () => Promise.resolve(),
};

/** Tracing as it is set; the SDK is loaded only when it is on. */
export async function openTracing(
  settings: TracingSettings | undefined,
  limits: TracingLimits,
  log: Logger,
): Promise<Tracing> {
  if (settings === undefined) return off;
  const { startTracing } = await import("./start.ts");
  return startTracing(settings, limits, log);
}
