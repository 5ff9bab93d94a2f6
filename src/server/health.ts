import { create } from "@bufbuild/protobuf";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { type Rpc, serverStream, unary } from "./call.ts";
import { Failure } from "./failure.ts";

/**
 * gRPC health checking: the server as a whole ("") and each service it serves are SERVING until it
 * stops, as long as calls can be answered (R13: a fault behind them does not take a replica away).
 */
export function createHealth(served: readonly Rpc[]): { readonly rpcs: readonly Rpc[]; stop(): void } {
  const names = new Set(["", ...served.map((rpc) => rpc.method.parent.typeName)]);
  let stopped = false;
  let changed: () => void = () => undefined;
  let change = new Promise<void>((resolve) => {
    changed = resolve;
  });

  function statusOf(service: string): HealthCheckResponse {
    const known = stopped ? Status.NOT_SERVING : Status.SERVING;
    return create(HealthCheckResponseSchema, { status: names.has(service) ? known : Status.SERVICE_UNKNOWN });
  }

  return {
    rpcs: [
      // As the protocol has it, Check refuses an unknown service, and Watch says SERVICE_UNKNOWN.
      unary(Health.method.check, 1000, async (request) => {
        if (names.has(request.service)) return statusOf(request.service);
        throw new Failure(
          "NOT_FOUND",
          `${JSON.stringify(request.service.slice(0, 256))} is not a service of this server`,
        );
      }),
      serverStream(Health.method.watch, async function* (request, context) {
        yield statusOf(request.service);
        const gone = new Promise<void>((resolve) => {
          if (context.signal.aborted) resolve();
          else context.signal.addEventListener("abort", () => resolve(), { once: true });
        });
        await Promise.race([change, gone]);
        if (!context.signal.aborted) yield statusOf(request.service);
      }),
    ],
    stop() {
      stopped = true;
      changed();
      change = Promise.resolve();
    },
  };
}
