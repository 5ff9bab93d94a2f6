import { RecordOutcome } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { Comparison } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { recordUserActionTemplate } from "../payload.ts";
import { requirePgbench } from "../peers/pgbench.ts";
import { connections, inFlight, warmupMs } from "./callers.ts";
import { rate } from "./rate.ts";
import { singleRowCommits } from "./singleRowCommits.ts";

/** Durable RecordUserAction calls beside writing to Postgres row by row. */
export const unary: Comparison = {
  name: "unary",
  oursIs: "RecordUserAction, 50 in flight",
  peerIs: "pgbench single-row commits, 50 clients",
  unit: "1/s",
  goal: { atLeast: 1 },
  ready: requirePgbench,
  async ours({ service, seconds }) {
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
  },
  peer: singleRowCommits,
};
