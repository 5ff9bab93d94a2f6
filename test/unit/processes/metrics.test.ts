import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { createMetricsOfAll, joinPages } from "../../../src/processes/metrics.ts";

async function pageOf(process: number, isStarted = true): Promise<string> {
  const registry = new Registry();
  registry.setDefaultLabels({ process: String(process) });
  const registers = [registry];
  new Counter({ name: "calls_total", help: "Calls.", labelNames: ["code"], registers })
    .labels("OK")
    .inc(process);
  new Gauge({ name: "delay", help: "Not known yet.", registers }).set(Number.NaN);
  if (isStarted) new Histogram({ name: "seconds", help: "Time.", buckets: [1], registers }).observe(process);
  return registry.metrics();
}

test("pages are put together with one header for each metric, and nothing added up", async () => {
  expect(joinPages([await pageOf(1, false), await pageOf(2)])).toBe(`# HELP calls_total Calls.
# TYPE calls_total counter
calls_total{code="OK",process="1"} 1
calls_total{code="OK",process="2"} 2

# HELP delay Not known yet.
# TYPE delay gauge
delay{process="1"} Nan
delay{process="2"} Nan

# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{le="1",process="2"} 0
seconds_bucket{le="+Inf",process="2"} 1
seconds_sum{process="2"} 2
seconds_count{process="2"} 1
`);
});

test("a process that is gone, or does not answer within a second, is left out, and that is seen", async () => {
  const all = createMetricsOfAll([
    {
      process: 1,
      ask(id) {
        void pageOf(1).then((page) => all.answered(id, page));
        return true;
      },
    },
    { process: 2, ask: () => false },
    { process: 3, ask: () => true },
  ]);
  all.restarted(2);
  const text = await all.text();
  for (const [process, up, restarts] of [
    [1, 1, 0],
    [2, 0, 1],
    [3, 0, 0],
  ]) {
    expect(text).toContain(`polytraders_gov_process_up{process="${process}"} ${up}\n`);
    expect(text).toContain(`polytraders_gov_process_restarts_total{process="${process}"} ${restarts}\n`);
  }
  expect(text.match(/^calls_total.*$/gm)).toEqual(['calls_total{code="OK",process="1"} 1']);
});
