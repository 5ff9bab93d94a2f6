import { fromBinary } from "@bufbuild/protobuf";
import { StreamUserActionsResponseSchema } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { Connection } from "./connection.ts";
import { maxFrameBytes } from "./connection.ts";
import { frame, frameFlag, frameType } from "./frames.ts";
import { encodeRequestHeaders } from "./hpack.ts";
import type { StreamJob } from "./job.ts";
import { createMessageReader, statusText, withPrefix } from "./message.ts";
import { requestHeaders } from "./request.ts";
import type { Tally } from "./tally.ts";
import type { Fill, Template } from "./template.ts";

const streamId = 1;

/** Streams batches on one connection until the time is over and all are acked. */
export function streamInLoop(
  job: StreamJob,
  connection: Connection,
  tally: Tally,
  fill: Fill,
): Promise<void> {
  const finished = Promise.withResolvers<void>();
  const unsent: Buffer[] = [];
  /** When each batch without an ack was sent, oldest first. */
  const sentAt: number[] = [];
  let opened = false;
  let closing = false;
  let ended = false;
  let sentOffset = 0;
  let ackedOffset = 0;
  let status: number | undefined;
  let grpcMessage = "";

  function copyOf(template: Template): Buffer {
    const bytes = Buffer.from(template.base64, "base64");
    fill(bytes, 0, template.slots);
    return bytes;
  }

  function queueBatch(): void {
    const bytes = copyOf(job.batch);
    writeVarint5(bytes, job.firstOffsetAt, sentOffset + 1);
    sentOffset += job.eventsPerBatch;
    sentAt.push(performance.now());
    unsent.push(withPrefix(bytes));
  }

  /** Sends as much of the queue as the server's windows take. */
  function sendQueue(): void {
    for (;;) {
      const next = unsent[0];
      const room = Math.min(maxFrameBytes, connection.windowBytes(streamId));
      if (next === undefined || room <= 0) return;
      const part = next.subarray(0, room);
      if (part.length === next.length) unsent.shift();
      else unsent[0] = next.subarray(room);
      connection.send(frame(frameType.data, 0, streamId, part), part.length, streamId);
    }
  }

  function sendMore(): void {
    if (!opened || closing) return;
    if (!tally.over()) {
      while (sentAt.length < job.batchesInFlight) queueBatch();
    } else if (sentAt.length === 0) {
      closing = true;
      connection.send(frame(frameType.data, frameFlag.endStream, streamId, Buffer.alloc(0)), 0, streamId);
    }
    sendQueue();
  }

  const readMessages = createMessageReader((bytes) => {
    const { message } = fromBinary(StreamUserActionsResponseSchema, bytes);
    if (message.case === "opened") {
      opened = true;
      sentOffset = Number(message.value.lastOffset);
      ackedOffset = sentOffset;
    } else if (message.case === "ack") {
      const { lastOffset, results } = message.value;
      const newlyAcked = Number(lastOffset) - ackedOffset - results.length;
      ackedOffset = Number(lastOffset);
      const first = results[0];
      if (first !== undefined) {
        tally.failed(`outcome ${first.outcome} for an event: ${first.message}`, results.length);
      }
      tally.done(sentAt.shift() ?? 0, newlyAcked);
    }
  });

  connection.events = {
    headers(_, grpcStatus, message) {
      if (grpcStatus === undefined) return;
      status = grpcStatus;
      grpcMessage = message;
    },
    data: (_, bytes) => readMessages(bytes),
    ended() {
      ended = true;
      if (status !== 0 || !closing) {
        const events = Math.max(1, sentOffset - ackedOffset);
        tally.failed(`the stream ended with ${statusText(status, grpcMessage)}`, events);
      }
      finished.resolve();
    },
    reset(_, errorCode) {
      ended = true;
      tally.failed(`stream reset with code ${errorCode}`, Math.max(1, sentOffset - ackedOffset));
      finished.resolve();
    },
    idle: () => connection.batch(sendMore),
    closed(reason) {
      if (!ended) tally.failed(reason, Math.max(1, sentOffset - ackedOffset));
      finished.resolve();
    },
  };

  connection.watchWindow(streamId);
  const { first } = encodeRequestHeaders(requestHeaders(job));
  connection.send(frame(frameType.headers, frameFlag.endHeaders, streamId, first), 0, streamId);
  unsent.push(withPrefix(copyOf(job.open)));
  sendQueue();
  return finished.promise;
}

/** A varint in exactly five bytes: offsets of every size take the same place. */
function writeVarint5(bytes: Buffer, at: number, value: number): void {
  let rest = value;
  for (let i = 0; i < 5; i++) {
    bytes[at + i] = (rest % 128) | (i < 4 ? 0x80 : 0);
    rest = Math.floor(rest / 128);
  }
}
