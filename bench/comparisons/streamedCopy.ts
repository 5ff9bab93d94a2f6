import type { Comparison } from "../comparison.ts";
import { copyFrom } from "../peers/copyFrom.ts";
import { requirePsql } from "../peers/psql.ts";
import { streamActions } from "./actions.ts";

/** Durable streamed actions beside the fastest way into a plain table, which acknowledges nothing before its end. */
export const streamedCopy: Comparison = {
  kind: "comparison",
  name: "streamed-copy",
  oursIs: "StreamUserActions, batches of 100",
  peerIs: "COPY FROM into the plain table",
  unit: "1/s",
  goal: { atLeast: 0.5 },
  ready: requirePsql,
  ours: streamActions,
  peer: ({ database }) => copyFrom(database),
};
