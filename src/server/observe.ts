import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { Counter, Histogram, type Registry } from "prom-client";
import type { Failure } from "./failure.ts";

/** Sees every call from its first byte to its last, refused ones too. */
export type Observer = {
  begin(method: DescMethod): { end(failure: Failure | undefined, complete: boolean): void };
  /** An error nobody planned for. */
  defect(cause: unknown, requestId: string): void;
};

const failureCodes = new Map<number, string>([
  [3, "INVALID_ARGUMENT"],
  [4, "DEADLINE_EXCEEDED"],
  [5, "NOT_FOUND"],
  [6, "ALREADY_EXISTS"],
  [7, "PERMISSION_DENIED"],
  [8, "RESOURCE_EXHAUSTED"],
  [9, "FAILED_PRECONDITION"],
  [10, "ABORTED"],
  [12, "UNIMPLEMENTED"],
  [13, "INTERNAL"],
  [14, "UNAVAILABLE"],
  [16, "UNAUTHENTICATED"],
]);

/** Counts and times calls by method and code. Bodies, tokens and parameters are never logged. */
export function createObserver(registry: Registry, log: Logger): Observer {
  const calls = new Counter({
    name: "polytraders_gov_rpc_calls_total",
    help: "Calls answered, by method and gRPC code.",
    labelNames: ["method", "code"] as const,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: "polytraders_gov_rpc_seconds",
    help: "Seconds from a call's arrival to its answer, by method and gRPC code.",
    labelNames: ["method", "code"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.5, 1, 2.5],
    registers: [registry],
  });
  // Label look-ups hash strings on every call, so each method's children are looked up once.
  const children = new Map<DescMethod, { ok: { inc(): void }; seconds: { observe(value: number): void } }>();

  function childrenOf(method: DescMethod) {
    let found = children.get(method);
    if (found === undefined) {
      const name = `${method.parent.name}/${method.name}`;
      calls.labels(name, "INTERNAL").inc(0); // So that the first one is an increase.
      found = { ok: calls.labels(name, "OK"), seconds: seconds.labels(name, "OK") };
      children.set(method, found);
    }
    return found;
  }

  return {
    begin(method) {
      const started = performance.now();
      return {
        end(failure, complete) {
          const child = childrenOf(method);
          const elapsedMs = performance.now() - started;
          if (failure === undefined && complete) {
            child.seconds.observe(elapsedMs / 1000);
            child.ok.inc();
            return;
          }
          const code = failure === undefined ? "CANCELLED" : (failureCodes.get(failure.code) ?? "UNKNOWN");
          const name = `${method.parent.name}/${method.name}`;
          seconds.labels(name, code).observe(elapsedMs / 1000);
          calls.labels(name, code).inc();
          log.debug(
            { method: method.name, code, reason: failure?.reason, durationMs: elapsedMs },
            "call refused",
          );
        },
      };
    },
    defect(cause, requestId) {
      log.error({ err: cause, requestId }, "defect");
    },
  };
}
