import type { Comparison } from "../comparison.ts";
import { requirePgbench } from "../peers/pgbench.ts";
import { recordActions } from "./actions.ts";
import { singleRowCommits } from "./singleRowCommits.ts";

/** Durable RecordUserAction calls beside writing to Postgres row by row. */
export const unary: Comparison = {
  kind: "comparison",
  name: "unary",
  oursIs: "RecordUserAction, 50 in flight",
  peerIs: "pgbench single-row commits, 50 clients",
  unit: "1/s",
  goal: { atLeast: 1 },
  ready: requirePgbench,
  ours: (context) => recordActions(context),
  peer: singleRowCommits,
};
