import type { Comparison } from "../comparison.ts";
import { requirePgbench } from "../peers/pgbench.ts";
import { streamActions } from "./actions.ts";
import { singleRowCommits } from "./singleRowCommits.ts";

/** Durable streamed actions beside writing to Postgres row by row. */
export const streamed: Comparison = {
  kind: "comparison",
  name: "streamed",
  oursIs: "StreamUserActions, batches of 100",
  peerIs: "pgbench single-row commits, 50 clients",
  unit: "1/s",
  goal: { atLeast: 2.5 },
  ready: requirePgbench,
  ours: streamActions,
  peer: singleRowCommits,
};
