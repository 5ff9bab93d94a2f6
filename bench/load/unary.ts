import type { Connection } from "./connection.ts";
import { maxFrameBytes } from "./connection.ts";
import { frame, frameFlag, frameHeaderBytes, frameType } from "./frames.ts";
import { encodeRequestHeaders } from "./hpack.ts";
import type { UnaryJob } from "./job.ts";
import { onlyMessage, statusText, varintField, withPrefix } from "./message.ts";
import { requestHeaders } from "./request.ts";
import type { Tally } from "./tally.ts";
import type { Fill, Slot } from "./template.ts";

interface Call {
  sentAt: number;
  body: Buffer | undefined;
  status: number | undefined;
  grpcMessage: string;
}

/** Both frames of a request in one buffer, to be copied and filled. */
interface Request {
  bytes: Buffer;
  dataAt: number;
  slots: Slot[];
}

/** Makes calls on one connection, `inFlight` at a time, until the time is over and all are answered. */
export function callInLoop(
  job: UnaryJob,
  connection: Connection,
  inFlight: number,
  tally: Tally,
  fill: Fill,
): Promise<void> {
  const finished = Promise.withResolvers<void>();
  const calls = new Map<number, Call>();
  const blocks = encodeRequestHeaders(requestHeaders(job));
  const body = withPrefix(Buffer.from(job.request.base64, "base64"));
  const first = buildRequest(blocks.first, body, job.request.slots);
  const later = buildRequest(blocks.later, body, job.request.slots);
  let nextStreamId = 1;

  if (body.length > Math.min(maxFrameBytes, connection.streamWindowBytes)) {
    throw new Error(`a request of ${body.length} bytes does not fit one frame`);
  }
  if (inFlight > connection.maxStreams) {
    throw new Error(`the server allows ${connection.maxStreams} calls a connection, not ${inFlight}`);
  }

  function send(request: Request, count: number): void {
    const size = request.bytes.length;
    const frames = Buffer.allocUnsafe(count * size);
    const sentAt = performance.now();
    for (let at = 0; at < frames.length; at += size) {
      request.bytes.copy(frames, at);
      frames.writeUInt32BE(nextStreamId, at + 5);
      frames.writeUInt32BE(nextStreamId, at + request.dataAt + 5);
      fill(frames, at, request.slots);
      calls.set(nextStreamId, { sentAt, body: undefined, status: undefined, grpcMessage: "" });
      nextStreamId += 2;
    }
    connection.send(frames, count * body.length);
  }

  function sendMore(): void {
    if (tally.over()) {
      if (calls.size === 0) finished.resolve();
      return;
    }
    if (nextStreamId === 1) send(first, 1);
    const room = Math.min(inFlight - calls.size, Math.floor(connection.windowBytes() / body.length));
    if (room > 0) send(later, room);
  }

  function end(streamId: number): void {
    const call = calls.get(streamId);
    if (call === undefined) return;
    calls.delete(streamId);
    const failure = failureOf(call, job.expect);
    if (failure === undefined) tally.done(call.sentAt, 1);
    else tally.failed(failure, 1);
  }

  connection.events = {
    headers(streamId, status, grpcMessage) {
      const call = calls.get(streamId);
      if (call === undefined || status === undefined) return;
      call.status = status;
      call.grpcMessage = grpcMessage;
    },
    data(streamId, bytes) {
      const call = calls.get(streamId);
      if (call === undefined) return;
      call.body = call.body === undefined ? Buffer.from(bytes) : Buffer.concat([call.body, bytes]);
    },
    ended: end,
    reset(streamId, errorCode) {
      if (!calls.delete(streamId)) return;
      tally.failed(`stream reset with code ${errorCode}`, 1);
    },
    idle: sendMore,
    closed(reason) {
      if (!tally.over() || calls.size > 0) tally.failed(reason, Math.max(1, calls.size));
      calls.clear();
      finished.resolve();
    },
  };
  sendMore();
  return finished.promise;
}

function buildRequest(headerBlock: Buffer, body: Buffer, slots: readonly Slot[]): Request {
  const headers = frame(frameType.headers, frameFlag.endHeaders, 0, headerBlock);
  const data = frame(frameType.data, frameFlag.endStream, 0, body);
  const messageAt = headers.length + frameHeaderBytes + 5;
  return {
    bytes: Buffer.concat([headers, data]),
    dataAt: headers.length,
    slots: slots.map((slot) => ({ ...slot, offset: messageAt + slot.offset })),
  };
}

function failureOf(call: Call, expect: UnaryJob["expect"]): string | undefined {
  if (call.status !== 0) return statusText(call.status, call.grpcMessage);
  const message = call.body === undefined ? undefined : onlyMessage(call.body);
  if (message === undefined) return "status 0 without exactly one message";
  if (expect === undefined) return undefined;
  const value = varintField(message, expect.field);
  return value === expect.value ? undefined : `field ${expect.field} is ${value}, not ${expect.value}`;
}
