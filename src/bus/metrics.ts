import { Counter, Gauge, type Registry } from "prom-client";
import { type Topic, topics } from "../reports/item.ts";
import { type SourceName, sourceNames } from "./sources.ts";

const outcomes = ["recorded", "duplicate", "conflict"] as const;

/** What goes over the bus. Lags are those of the replica whose turn it is; others show none. */
export function createBusMetrics(
  registry: Registry,
  state: { readonly isConnected: () => boolean; readonly isAvailable: () => boolean },
) {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge("polytraders_gov_bus_connected", "1 while this replica is connected to the bus, else 0.", () =>
    state.isConnected() ? 1 : 0,
  );
  gauge(
    "polytraders_gov_event_stream_ok",
    "0 once an event stream of the bus has been away for 30 s, else 1.",
    () => (state.isAvailable() ? 1 : 0),
  );
  const consumed = new Counter({
    name: "polytraders_gov_bus_consumed_total",
    help: "Messages of the bus that are on record, by what became of them.",
    labelNames: ["source", "outcome"] as const,
    registers,
  });
  const deadLetters = new Counter({
    name: "polytraders_gov_bus_dead_letters_total",
    help: "Messages of the bus that could not be recorded.",
    labelNames: ["source"] as const,
    registers,
  });
  const missed = new Counter({
    name: "polytraders_gov_bus_missed_total",
    help: "Messages that the bus dropped before they were read.",
    labelNames: ["source"] as const,
    registers,
  });
  const lag = new Gauge({
    name: "polytraders_gov_bus_lag_messages",
    help: "Messages of the bus that wait to be recorded.",
    labelNames: ["source"] as const,
    registers,
  });
  const published = new Counter({
    name: "polytraders_gov_bus_published_total",
    help: "Reports that the bus has taken.",
    labelNames: ["topic"] as const,
    registers,
  });
  const reportLag = new Gauge({
    name: "polytraders_gov_bus_report_lag_records",
    help: "Records between the end of the log and what is published of it.",
    registers,
  });
  for (const source of sourceNames) {
    for (const outcome of outcomes) consumed.labels(source, outcome).inc(0);
    deadLetters.labels(source).inc(0);
    missed.labels(source).inc(0);
    lag.labels(source).set(0);
  }
  for (const topic of topics) published.labels(topic).inc(0);

  return {
    consumed: (source: SourceName, outcome: string): void => consumed.labels(source, outcome).inc(),
    deadLettered: (source: SourceName): void => deadLetters.labels(source).inc(),
    missed: (source: SourceName, messages: number): void => missed.labels(source).inc(messages),
    lag: (source: SourceName, messages: number): void => lag.labels(source).set(messages),
    published: (topic: Topic): void => published.labels(topic).inc(),
    reportLag: (records: number): void => reportLag.set(records),
  };
}

export type BusMetrics = ReturnType<typeof createBusMetrics>;
