import type { Comparison, Context, Measurement } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { getBotConfigTemplate } from "../payload.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { rate } from "./rate.ts";

/** What authentication, validation and metrics cost: a call that stores nothing, beside a bare server. */
export const noop: Comparison = {
  name: "noop",
  oursIs: "a call that stores nothing",
  peerIs: "bare grpc-js echo",
  unit: "1/s",
  goal: { atLeast: 0.85 },
  ours: (context) => callsPerSecond(context.service, context),
  peer: (context) => callsPerSecond(context.echo, context),
};

async function callsPerSecond(
  { host, port }: { readonly host: string; readonly port: number },
  { service, seconds }: Context,
): Promise<Measurement> {
  const result = await loadWithoutFailure({
    kind: "unary",
    host,
    port,
    path: method.getBotConfig,
    // The same bytes on both sides, though the bare server does not look at them.
    headers: { authorization: service.authorization.bot },
    connections,
    inFlight,
    warmupMs,
    durationMs: seconds * 1_000,
    request: getBotConfigTemplate(),
  });
  return rate(result);
}
