import type { Registry } from "prom-client";

/** Where a page of metrics comes from. */
export type MetricsPage = Pick<Registry, "metrics" | "contentType">;

/** Which of the processes of one service this one is, and what it shares with the others. */
export type Part = {
  /** From 1 on. */
  readonly process: number;
  readonly of: number;
  /** The metrics of all processes, by one of them. */
  metricsPage(own: Registry): MetricsPage;
};
