import { ErrorReason } from "../gen/error_reason_pb.ts";
import type { StreamAck, StreamEventResult } from "../gen/user_activity_ledger_pb.ts";
import type { Log } from "../log.ts";
import { type Condition, createBackoff } from "../waiting.ts";
import type { Batch, Queue } from "./queue.ts";
import type { OpenStream, Outgoing } from "./streams.ts";

/** The service reads 8 batches ahead. */
const openBatches = 8;
/** A stream on which nothing moves for so long is given up; sending again does no harm. */
const ackWithinMs = 30_000;

export type LaneOptions = {
  readonly queue: Queue;
  /** Changes when the queue does. */
  readonly condition: Condition;
  readonly open: OpenStream;
  readonly streamId: string;
  /** What is sent, for the log. */
  readonly what: string;
  readonly log: Log;
  /** Keeps a record that the service refused; resolves when it is on disk. */
  readonly onRefused: (offset: number, record: Uint8Array, result: StreamEventResult) => Promise<void>;
};

/** Sends a queue over one stream, in order, until the signal is aborted; a stream that breaks is opened again. */
export async function runLane(options: LaneOptions, stop: AbortSignal): Promise<void> {
  const { queue, condition, what, log } = options;
  const pause = createBackoff();
  while (!stop.aborted) {
    await condition.until(() => queue.acked() < queue.last(), stop).catch(() => {});
    if (stop.aborted) return;
    const before = queue.acked();
    try {
      await send(options, stop);
    } catch (cause) {
      if (!stop.aborted) log.warn(`the stream of ${what} was cut: ${String(cause)}`);
    }
    if (queue.acked() > before) pause.reset();
    await pause.wait(stop);
  }
}

/** Opens a stream and sends until it breaks. */
async function send(
  { queue, condition, open, streamId, onRefused }: LaneOptions,
  stop: AbortSignal,
): Promise<void> {
  const calling = new AbortController();
  const { signal } = calling;
  const stopped = () => calling.abort(stop.reason);
  stop.addEventListener("abort", stopped);
  const sent: Batch[] = [];
  let isOpened = false;
  let movedAt = Date.now();
  const watch = setInterval(() => {
    const isWaiting = !isOpened || sent.length > 0;
    if (isWaiting && Date.now() - movedAt > ackWithinMs) calling.abort(new Error("no answer within 30 s"));
  }, 1_000);

  async function* outgoing(): AsyncGenerator<Outgoing> {
    yield { kind: "open", streamId };
    // What `opened` says is durable is sent again all the same: the ack that was lost may have refused some of it,
    // and of the rest the service knows each event_id.
    await condition.until(() => isOpened, signal);
    for (let from = queue.acked() + 1; ; ) {
      await condition.until(() => sent.length < openBatches && queue.last() >= from, signal);
      const seen = queue.changes();
      const batch = await queue.read(from);
      if (batch === undefined) {
        await condition.until(() => queue.changes() !== seen, signal);
        continue;
      }
      if (sent.length === 0) movedAt = Date.now();
      sent.push(batch);
      from = batch.first + batch.records.length;
      yield { kind: "batch", batch };
    }
  }

  async function settle(ack: StreamAck): Promise<void> {
    const [batch] = sent;
    if (batch === undefined) throw new Error("the service sent more acks than there are batches");
    for (const result of ack.results) {
      if (result.reason === ErrorReason.UNSPECIFIED) continue;
      const offset = Number(result.offset);
      const record = batch.records[offset - batch.first];
      if (record !== undefined) await onRefused(offset, record, result);
    }
    sent.shift();
    const bytes = batch.records.reduce((sum, record) => sum + record.length, 0);
    await queue.ack(batch.first + batch.records.length - 1, bytes);
  }

  try {
    for await (const { message } of open(outgoing(), signal)) {
      movedAt = Date.now();
      if (message.case === "opened" && !isOpened) {
        isOpened = true;
        condition.changed();
      } else if (message.case === "ack") {
        await settle(message.value);
      } else {
        throw new Error("the service sent something other than one ack for each batch");
      }
    }
    throw new Error("the service ended it");
  } finally {
    clearInterval(watch);
    stop.removeEventListener("abort", stopped);
    calling.abort(new Error("the stream is over"));
  }
}
