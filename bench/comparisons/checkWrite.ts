import { Durability } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { Comparison } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { checkWriteTemplate } from "../payload.ts";
import { plainInsert } from "../peers/plainInsert.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { p99 } from "./rate.ts";

/** How long a config store waits for a durable verdict, beside how long it would wait for its own insert. */
export const checkWrite: Comparison = {
  name: "check-write",
  oursIs: "CheckWrite p99, 50 in flight",
  peerIs: "plain pg insert per call p99, 50 in flight",
  unit: "µs",
  goal: { atMost: 0.6 },
  async ours({ service, seconds }) {
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
    return p99(result);
  },
  async peer({ database, seconds }) {
    const result = await plainInsert({
      connection: database,
      inFlight,
      warmupMs,
      durationMs: seconds * 1_000,
    });
    const { p99Us, p50Us, insertsPerSecond } = result;
    return { value: p99Us, details: { perSecond: insertsPerSecond, p50Us } };
  },
};
