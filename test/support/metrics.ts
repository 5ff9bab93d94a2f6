import type { TestService } from "./service.ts";

/** The value of one sample as /metrics prints it, e.g. 'name{label="x"}'; undefined when it is not there. */
export async function metricValue(service: TestService, sample: string): Promise<number | undefined> {
  const response = await fetch(`http://127.0.0.1:${service.httpPort}/metrics`);
  const line = (await response.text()).split("\n").find((text) => text.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
}
