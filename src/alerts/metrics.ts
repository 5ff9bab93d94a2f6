import { Counter, Gauge, type Registry } from "prom-client";
import type { Outbox } from "./outbox.ts";

export type AlertMetrics = {
  /** dropped: too many waited. */
  attempted(receiver: string, outcome: "delivered" | "failed" | "dropped"): void;
  /** Whose state is shown from now on. */
  follow(receivers: () => readonly { readonly name: string; readonly outbox: Outbox }[]): void;
};

/** What becomes of alerts, by receiver. */
export function createAlertMetrics(registry: Registry): AlertMetrics {
  const registers = [registry];
  const labelNames = ["receiver"] as const;
  let receivers: () => readonly { readonly name: string; readonly outbox: Outbox }[] = () => [];
  const attempts = new Counter({
    name: "polytraders_gov_alert_deliveries_total",
    help: "Attempts to deliver an alert, by receiver and what came of them.",
    labelNames: ["receiver", "outcome"] as const,
    registers,
  });
  new Gauge({
    name: "polytraders_gov_alerts_waiting",
    help: "Alerts that wait for their receiver.",
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { name, outbox } of receivers()) this.labels(name).set(outbox.waiting);
    },
  });
  new Gauge({
    name: "polytraders_gov_alert_receiver_ok",
    help: "1 while the receiver takes alerts as far as is known, 0 once it has not.",
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { name, outbox } of receivers()) this.labels(name).set(outbox.isReachable ? 1 : 0);
    },
  });
  return {
    attempted(receiver, outcome) {
      attempts.labels(receiver, outcome).inc();
    },
    follow(all) {
      receivers = all;
      for (const { name } of all()) {
        for (const outcome of ["delivered", "failed", "dropped"]) attempts.labels(name, outcome).inc(0);
      }
    },
  };
}
