import { Gauge, type Registry } from "prom-client";

/** Shows how many read the stream of reports, and how far the last of them is behind the end of the log. */
export function showReaders(
  registry: Registry,
  state: () => { readonly head: number; readonly places: readonly number[] },
): void {
  const registers = [registry];
  new Gauge({
    name: "polytraders_gov_report_subscribers",
    help: "Streams of reports that are open.",
    registers,
    collect() {
      this.set(state().places.length);
    },
  });
  new Gauge({
    name: "polytraders_gov_report_lag_records",
    help: "Records between the end of the log and the stream of reports that is furthest behind.",
    registers,
    collect() {
      const { head, places } = state();
      this.set(Math.max(0, ...places.map((place) => head - place)));
    },
  });
}
