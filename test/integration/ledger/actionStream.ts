import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import {
  type StreamAck,
  type StreamUserActionsRequest,
  StreamUserActionsRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { LedgerClient } from "../../support/callers.ts";
import type { ActionInit } from "./actions.ts";

export type StreamMessage = MessageInitShape<typeof StreamUserActionsRequestSchema>["message"];

/** A producer's side of StreamUserActions. */
export type ActionStream = {
  /** What the server said when the stream was opened. */
  readonly lastOffset: bigint;
  /** Sends a batch and does not wait for its ack. */
  send(firstOffset: number | bigint, actions: readonly ActionInit[]): void;
  /** Sends any message. */
  sendMessage(message: StreamMessage): void;
  /** The next ack. Rejects with what the stream was ended with. */
  ack(): Promise<StreamAck>;
  /** Sends no more, and resolves once the server has ended the stream too. */
  end(): Promise<void>;
  /** Drops the stream as a lost connection does. */
  cut(): void;
};

/** Opens a stream. Tests end or cut it: a service that stops waits for its streams. */
export async function openStream(client: LedgerClient, streamId: string): Promise<ActionStream> {
  const requests = createWritableIterable<StreamUserActionsRequest>();
  const controller = new AbortController();
  const responses = client.streamUserActions(requests, { signal: controller.signal })[Symbol.asyncIterator]();

  function sendMessage(message: StreamMessage): void {
    // Its rejection after a cut is the cut's; what the server says is read from the answers.
    requests
      .write(create(StreamUserActionsRequestSchema, { message: message ?? { case: undefined } }))
      .catch(() => false);
  }

  sendMessage({ case: "open", value: { streamId } });
  const opened = await responses.next();
  if (opened.done || opened.value.message.case !== "opened") throw new Error("the stream was not opened");
  return {
    lastOffset: opened.value.message.value.lastOffset,
    sendMessage,
    send(firstOffset, actions) {
      sendMessage({ case: "batch", value: { firstOffset: BigInt(firstOffset), actions: [...actions] } });
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
