import { create } from "@bufbuild/protobuf";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import {
  type StreamAck,
  type StreamExecutionReportsRequest,
  StreamExecutionReportsRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { LedgerClient } from "../../support/callers.ts";
import type { FillInit } from "./fillReports.ts";

/** A producer's side of StreamExecutionReports. */
export type FillStream = {
  /** What the server said when the stream was opened. */
  readonly lastOffset: bigint;
  /** Sends a batch and does not wait for its ack. */
  send(firstOffset: number, reports: readonly FillInit[]): void;
  /** The next ack. Rejects with what the stream was ended with. */
  ack(): Promise<StreamAck>;
  /** Sends no more, and resolves once the server has ended the stream too. */
  end(): Promise<void>;
  /** Drops the stream as a lost connection does. */
  cut(): void;
};

/** Opens a stream. Tests end or cut it: a service that stops waits for its streams. */
export async function openFillStream(client: LedgerClient, streamId: string): Promise<FillStream> {
  const requests = createWritableIterable<StreamExecutionReportsRequest>();
  const controller = new AbortController();
  const responses = client
    .streamExecutionReports(requests, { signal: controller.signal })
    [Symbol.asyncIterator]();

  function send(message: StreamExecutionReportsRequest["message"]): void {
    // Its rejection after a cut is the cut's; what the server says is read from the answers.
    requests.write(create(StreamExecutionReportsRequestSchema, { message })).catch(() => false);
  }

  send({ case: "open", value: { $typeName: "polytraders.governance.v1.StreamOpen", streamId } });
  const opened = await responses.next();
  if (opened.done || opened.value.message.case !== "opened") throw new Error("the stream was not opened");
  return {
    lastOffset: opened.value.message.value.lastOffset,
    send(firstOffset, reports) {
      const batch = { firstOffset: BigInt(firstOffset), reports: [...reports] };
      const { message } = create(StreamExecutionReportsRequestSchema, {
        message: { case: "batch", value: batch },
      });
      send(message);
    },
    async ack() {
      const answer = await responses.next();
      if (answer.done || answer.value.message.case !== "ack")
        throw new Error("the stream ended without an ack");
      return answer.value.message.value;
    },
    async end() {
      requests.close();
      const last = await responses.next();
      if (!last.done) throw new Error("an ack came that nobody waited for");
    },
    cut() {
      controller.abort();
    },
  };
}
