import type { Comparison, Measurement, Ours } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { getBotConfigTemplate } from "../payload.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { rate } from "./rate.ts";

/** What authentication, validation and metrics cost: a call that stores nothing, beside a bare server. */
export const noop: Comparison = {
  kind: "comparison",
  name: "noop",
  oursIs: "a call that stores nothing",
  peerIs: "bare grpc-js echo",
  unit: "1/s",
  goal: { atLeast: 0.85 },
  ours: (context) => callsPerSecond(context.service, context),
  peer: (context) => callsPerSecond(context.echo, context),
};

/** How far the bare echo itself is from what Node's http2 gives: the limit of all unary calls. */
export const bareHttp2: Comparison = {
  kind: "comparison",
  name: "bare-http2",
  oursIs: "a call that stores nothing",
  peerIs: "Node's bare http2 with the same bytes",
  unit: "1/s",
  goal: undefined,
  ours: (context) => callsPerSecond(context.service, context),
  peer: (context) => callsPerSecond(context.http2, context),
};

async function callsPerSecond(
  { host, port }: { readonly host: string; readonly port: number },
  { service, seconds }: Ours,
): Promise<Measurement> {
  const result = await loadWithoutFailure({
    kind: "unary",
    host,
    port,
    path: method.getBotConfig,
    // The same bytes on both sides, though the bare servers do not look at them.
    headers: { authorization: service.authorization.bot },
    connections,
    inFlight,
    warmupMs,
    durationMs: seconds * 1_000,
    request: getBotConfigTemplate(),
  });
  return rate(result);
}
