import { setTimeout as sleep } from "node:timers/promises";
import { RecordOutcome } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { Comparison, Measurement } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { type OnCluster, startOnCluster } from "../onCluster.ts";
import { recordUserActionTemplate } from "../payload.ts";
import type { Service } from "../service.ts";
import { streamActions } from "./actions.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { p99Of, rate } from "./rate.ts";

/** Callers that go on while the spool drains: a fifth of those of the other comparisons. */
const foreground = { connections: 2, inFlight: 10 };
const pollMs = 20;

let running: OnCluster | undefined;

async function open(): Promise<AsyncDisposable> {
  running = await startOnCluster();
  return running;
}

function opened() {
  if (running === undefined) throw new Error("the service to break was not started");
  return running;
}

/** How fast an outage's records come into Postgres once it is back, beside how fast they would have come. */
export const drain: Comparison = {
  kind: "comparison",
  name: "drain",
  oursIs: "records drained from the spool",
  peerIs: "StreamUserActions, batches of 100",
  unit: "1/s",
  goal: { atLeast: 0.8 },
  open,
  ours: ({ seconds }) => outage(seconds, async (drained) => drained()),
  peer: ({ seconds }) => streamActions({ service: opened().service, seconds }),
};

/** What callers feel of a drain. */
export const drainForeground: Comparison = {
  kind: "comparison",
  name: "drain-foreground",
  oursIs: "RecordUserAction p99, 10 in flight, while the spool drains",
  peerIs: "the same without",
  unit: "µs",
  goal: { atMost: 2 },
  open,
  ours: ({ seconds }) =>
    outage(seconds, async (drained) => {
      const [{ value }, felt] = await Promise.all([drained(), recordForeground(1)]);
      return { ...felt, details: { ...felt.details, drainedPerSecond: value } };
    }),
  peer: ({ seconds }) => recordForeground(seconds),
};

async function recordForeground(seconds: number): Promise<Measurement> {
  return p99Of(
    rate(await loadWithoutFailure({ ...recordUserAction(), ...foreground, durationMs: seconds * 1_000 })),
  );
}

/** One that is durable, be it in Postgres or in the spool: a session's records follow those of it that wait there. */
function recordUserAction() {
  const { host, port, authorization } = opened().service;
  return {
    kind: "unary" as const,
    host,
    port,
    path: method.recordUserAction,
    headers: { authorization: authorization.bot },
    warmupMs,
    request: recordUserActionTemplate(),
  };
}

/** Takes Postgres away, fills the spool for so many seconds, and brings Postgres back. */
async function outage(
  seconds: number,
  then: (drained: () => Promise<Measurement>) => Promise<Measurement>,
): Promise<Measurement> {
  const { cluster, service } = opened();
  await cluster.stop();
  await loadWithoutFailure({
    ...recordUserAction(),
    ...{ connections, inFlight },
    durationMs: seconds * 2_000,
    expect: { field: 1, value: RecordOutcome.BUFFERED },
  });
  const waiting = await buffered(service);
  await cluster.start();
  return then(async () => {
    let left = waiting;
    // The first records show that it has begun: how long the service takes to notice Postgres is another matter.
    while (left === waiting) {
      await sleep(pollMs);
      left = await buffered(service);
    }
    const started = performance.now();
    const first = left;
    while (left > 0) {
      await sleep(pollMs);
      left = await buffered(service);
    }
    return { value: (first * 1000) / (performance.now() - started), details: { records: waiting } };
  });
}

async function buffered({ host, httpPort }: Service): Promise<number> {
  const text = await (await fetch(`http://${host}:${httpPort}/metrics`)).text();
  return Number(/^polytraders_gov_useractivityledger_buffer_size (\S+)$/m.exec(text)?.[1]);
}
