import { Durability } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { Comparison, Context, Measurement, Ours } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { checkWriteTemplate } from "../payload.ts";
import { plainInsert } from "../peers/plainInsert.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { p99Of, rate } from "./rate.ts";

/** How long a config store waits for a durable verdict, beside how long it would wait for its own insert. */
export const checkWrite: Comparison = {
  kind: "comparison",
  name: "check-write",
  oursIs: "CheckWrite p99, 50 in flight",
  peerIs: "plain pg insert per call p99, 50 in flight",
  unit: "µs",
  goal: { atMost: 0.6 },
  ours: async (context) => p99Of(await checkWrites(context)),
  peer: async (context) => p99Of(await inserts(context)),
};

/** How many verdicts are recorded, beside how many inserts the same callers get done. */
export const checkWriteRate: Comparison = {
  kind: "comparison",
  name: "check-write-rate",
  oursIs: "CheckWrite, 50 in flight",
  peerIs: "plain pg insert per call, 50 in flight",
  unit: "1/s",
  goal: { atLeast: 1.5 },
  ours: checkWrites,
  peer: inserts,
};

/** Durable verdicts per second. */
export async function checkWrites({ service, seconds }: Ours): Promise<Measurement> {
  const result = await loadWithoutFailure({
    kind: "unary",
    host: service.host,
    port: service.port,
    path: method.checkWrite,
    headers: { authorization: service.authorization.configStore },
    connections,
    inFlight,
    warmupMs,
    durationMs: seconds * 1_000,
    request: checkWriteTemplate(),
    expect: { field: 8, value: Durability.DURABLE },
  });
  return rate(result);
}

async function inserts({ database, seconds }: Context): Promise<Measurement> {
  const { insertsPerSecond, p50Us, p99Us } = await plainInsert({
    connection: database,
    inFlight,
    warmupMs,
    durationMs: seconds * 1_000,
  });
  return { value: insertsPerSecond, details: { p50Us, p99Us } };
}
