import { RecordOutcome } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { Measurement, Ours } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { batchTemplate, openTemplate, recordUserActionTemplate } from "../payload.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { rate } from "./rate.ts";

const eventsPerBatch = 100;
const batchesInFlight = 4;

/** Durable RecordUserAction calls per second. */
export async function recordActions({
  service,
  seconds,
}: {
  readonly service: Target;
  readonly seconds: number;
}): Promise<Measurement> {
  const result = await loadWithoutFailure({
    kind: "unary",
    host: service.host,
    port: service.port,
    path: method.recordUserAction,
    headers: { authorization: service.authorization.bot },
    connections,
    inFlight,
    warmupMs,
    durationMs: seconds * 1_000,
    request: recordUserActionTemplate(),
    expect: { field: 1, value: RecordOutcome.RECORDED },
  });
  return rate(result);
}

type Target = Pick<Ours["service"], "host" | "port"> & { readonly authorization: { readonly bot: string } };

/** Durable streamed actions per second. */
export async function streamActions({ service, seconds }: Ours): Promise<Measurement> {
  const result = await loadWithoutFailure({
    kind: "stream",
    host: service.host,
    port: service.port,
    path: method.streamUserActions,
    headers: { authorization: service.authorization.bot },
    connections,
    batchesInFlight,
    eventsPerBatch,
    warmupMs,
    durationMs: seconds * 1_000,
    open: openTemplate(),
    ...batchTemplate(eventsPerBatch),
  });
  return rate(result);
}
