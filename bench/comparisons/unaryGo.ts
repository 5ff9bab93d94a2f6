import type { Comparison } from "../comparison.ts";
import { type GoServer, requireGo, startGoServer } from "../peers/goServer.ts";
import { recordActions } from "./actions.ts";

let server: GoServer | undefined;

/** Durable RecordUserAction calls beside the server that one would write in an afternoon. */
export const unaryGo: Comparison = {
  kind: "comparison",
  name: "unary-go",
  oursIs: "RecordUserAction, 50 in flight",
  peerIs: "a plain server in Go, an insert per call, 50 in flight",
  unit: "1/s",
  goal: { atLeast: 1.2 },
  ready: requireGo,
  async open({ database }) {
    server = await startGoServer(database);
    return server;
  },
  ours: (context) => recordActions(context),
  async peer({ service, seconds }) {
    if (server === undefined) throw new Error("the Go server was not started");
    const { host, port } = server;
    return recordActions({ service: { host, port, authorization: service.authorization }, seconds });
  },
};
