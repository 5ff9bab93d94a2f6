import type { Comparison } from "../comparison.ts";
import { loadWithoutFailure } from "../load/load.ts";
import { method } from "../methods.ts";
import { batchTemplate, openTemplate } from "../payload.ts";
import { requirePgbench } from "../peers/pgbench.ts";
import { connections, warmupMs } from "./callers.ts";
import { rate } from "./rate.ts";
import { singleRowCommits } from "./singleRowCommits.ts";

const eventsPerBatch = 100;
const batchesInFlight = 4;

/** Durable streamed actions beside writing to Postgres row by row. */
export const streamed: Comparison = {
  name: "streamed",
  oursIs: "StreamUserActions, batches of 100",
  peerIs: "pgbench single-row commits, 50 clients",
  unit: "1/s",
  goal: { atLeast: 2.5 },
  ready: requirePgbench,
  async ours({ service, seconds }) {
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
  },
  peer: singleRowCommits,
};
