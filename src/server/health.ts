import { create } from "@bufbuild/protobuf";
import {
  Health,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { type Rpc, serverStream, unary } from "./call.ts";
import { Failure } from "./failure.ts";

/** How soon who watches is told of a change. */
const lookEveryMs = 250;

/**
 * gRPC health checking: the server as a whole ("") is SERVING until it stops, and so is each service it
 * serves while `canAnswer` (R13: a fault behind them alone does not take a replica away).
 */
export function createHealth(
  served: readonly Rpc[],
  canAnswer: (service: string) => boolean,
): { readonly rpcs: readonly Rpc[]; stop(): void } {
  const names = new Set(["", ...served.map((rpc) => rpc.method.parent.typeName)]);
  const stopping = Promise.withResolvers<void>();
  let isStopping = false;
  let nextLook: Promise<void> | undefined;

  function statusOf(service: string): Status {
    if (!names.has(service)) return Status.SERVICE_UNKNOWN;
    return !isStopping && (service === "" || canAnswer(service)) ? Status.SERVING : Status.NOT_SERVING;
  }

  /** One timer for all who watch, and none for nobody. */
  function look(): Promise<void> {
    nextLook ??= new Promise((resolve) => {
      const timer = setTimeout(() => {
        nextLook = undefined;
        resolve();
      }, lookEveryMs);
      timer.unref();
    });
    return nextLook;
  }

  return {
    rpcs: [
      // As the protocol has it, Check refuses an unknown service, and Watch says SERVICE_UNKNOWN.
      unary(Health.method.check, 1000, async ({ service }) => {
        if (names.has(service)) return answer(statusOf(service));
        throw new Failure(
          "NOT_FOUND",
          `${JSON.stringify(service.slice(0, 256))} is not a service of this server`,
        );
      }),
      serverStream(Health.method.watch, async function* ({ service }, { signal }) {
        const gone = new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          else signal.addEventListener("abort", () => resolve(), { once: true });
        });
        for (let last: Status | undefined; ; ) {
          const status = statusOf(service);
          if (status !== last) yield answer(status);
          last = status;
          if (isStopping) return;
          await Promise.race([look(), stopping.promise, gone]);
          if (signal.aborted) return;
        }
      }),
    ],
    stop() {
      isStopping = true;
      stopping.resolve();
    },
  };
}

function answer(status: Status): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status });
}
