import type { Weather } from "../parts/proxy.ts";
import type { Repeated, Scenario } from "../scenario.ts";

function network(name: string, fault: string, weather: Weather, more: Partial<Repeated> = {}): Scenario {
  return {
    kind: "repeated",
    name,
    fault,
    rounds: 2,
    calmMs: [150, 400],
    holdMs: [400, 1_200],
    recoverWithinMs: 5_000,
    inject: (stage) => stage.network.change(weather),
    heal: (stage) => stage.network.change({ kind: "fair" }),
    ...more,
  };
}

/** Between the service and its Postgres. */
export const networkFaults: readonly Scenario[] = [
  network("network-cut", "connections cut and refused", { kind: "cut" }),
  network("network-blackhole", "bytes vanish both ways, and nobody notices", { kind: "blackhole" }),
  network("network-half-open", "Postgres' side is gone and the service is not told", { kind: "half-open" }),
  network("network-latency", "120 ms each way", { kind: "latency", ms: 120 }),
  network("network-trickle", "answers at 400 bytes a second", { kind: "trickle", bytesPerSecond: 400 }),
  network(
    "answer-lost",
    "cut after COMMIT was sent: it stands, and its answer is lost",
    { kind: "answers-lost" },
    { rounds: 3, holdMs: [30, 200] },
  ),
  network("starting-up", "every connection is told 57P03", { kind: "starting-up" }),
];
