import { create } from "@bufbuild/protobuf";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import {
  RecordOutcome,
  type StreamAck,
  StreamUserActionsRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { actionContent, actionRequest } from "./actions.ts";
import { failed } from "./connection.ts";
import type { Call, Content } from "./history.ts";
import { type Caller, pause } from "./load.ts";

const reasonNames = new Map(
  Object.entries(ErrorReason).map(([name, value]): [number, string] => [value, name]),
);

/** A producer: batches of one session over a stream, opened again where it broke, from where the server says. */
export async function streamActions(caller: Caller): Promise<void> {
  const events: Content[] = [];
  /** Events that need not be sent any more: acknowledged, or covered by what the server opened with. */
  let done = 0;
  while (!caller.isOver()) {
    done = await oneStream(caller, events, done);
    await pause(caller);
  }
}

const silenceMs = 8_000;

/** Runs until the stream breaks or is over; how many events are done then. */
function oneStream(caller: Caller, events: Content[], doneBefore: number): Promise<number> {
  const { random, history } = caller;
  const { replica, connection } = caller.way();
  const stream = connection.streamUserActions();
  /** Tries of this stream that wait for their ack, by offset. */
  const waiting = new Map<number, Call>();
  let done = doneBefore;
  let sent = doneBefore;
  let isOpen = false;

  function send(): void {
    const count = random.between(1, 12);
    const first = sent + 1;
    const batch: Content[] = [];
    for (let offset = first; offset < first + count; offset++) {
      const content = events[offset - 1] ?? actionContent(caller, offset);
      events[offset - 1] = content;
      batch.push(content);
      waiting.set(
        offset,
        history.sent({
          method: "StreamUserActions",
          id: content.event_id ?? "",
          content,
          orderKey: content.session_id ?? undefined,
          replica,
        }),
      );
    }
    sent += count;
    const value = { firstOffset: BigInt(first), actions: batch.map(actionRequest) };
    stream.write(create(StreamUserActionsRequestSchema, { message: { case: "batch", value } }));
  }

  function acknowledge(ack: StreamAck): void {
    const results = new Map(ack.results.map((result) => [Number(result.offset), result]));
    for (let offset = done + 1; offset <= Number(ack.lastOffset); offset++) {
      const call = waiting.get(offset);
      if (call === undefined) continue;
      waiting.delete(offset);
      const result = results.get(offset);
      if (result !== undefined && result.outcome === RecordOutcome.UNSPECIFIED) {
        const reason = reasonNames.get(result.reason);
        history.answered(call, { kind: "failed", code: "REFUSED", reason, message: result.message });
      } else {
        const durability = result?.outcome === RecordOutcome.BUFFERED ? "buffered" : "durable";
        history.answered(call, { kind: "acked", durability });
      }
    }
    done = Math.max(done, Number(ack.lastOffset));
  }

  async function produce(): Promise<void> {
    while (isOpen && !caller.isOver()) {
      if (sent - done < 60) send();
      await pause(caller);
    }
    if (isOpen) stream.end();
  }

  return new Promise((resolve) => {
    // A producer has no deadline: one that hears nothing for so long would hang for ever.
    let heardMs = performance.now();
    const watch = setInterval(() => {
      const isWaiting = !isOpen || waiting.size > 0 || caller.isOver();
      if (!isWaiting || performance.now() - heardMs < silenceMs) return;
      const state = isOpen ? `${waiting.size} events wait for their ack` : "it was not opened";
      caller.silent(replica, `${caller.name}: a stream heard nothing for ${silenceMs} ms (${state})`);
      stream.cancel();
    }, 250);
    const end = (answer: ReturnType<typeof failed>) => {
      isOpen = false;
      clearInterval(watch);
      for (const call of waiting.values()) history.answered(call, answer);
      waiting.clear();
      resolve(done);
    };
    stream.on("data", ({ message }) => {
      heardMs = performance.now();
      if (message.case === "ack") acknowledge(message.value);
      if (message.case !== "opened") return;
      // What the server calls durable is not sent again: from here on it must not be lost.
      for (let offset = done + 1; offset <= Number(message.value.lastOffset); offset++) {
        const content = events[offset - 1];
        if (content === undefined) continue;
        const call = history.sent({
          method: "StreamUserActions",
          id: content.event_id ?? "",
          content,
          orderKey: undefined,
          replica,
        });
        history.answered(call, { kind: "acked", durability: "durable" });
      }
      done = Math.max(done, Number(message.value.lastOffset));
      sent = done;
      isOpen = true;
      void produce();
    });
    stream.on("error", (cause) => end(failed(cause)));
    stream.on("end", () =>
      end({ kind: "failed", code: "ENDED", reason: undefined, message: "the stream ended" }),
    );
    // One id for all its streams: a producer that comes back.
    const open = { streamId: caller.name };
    stream.write(create(StreamUserActionsRequestSchema, { message: { case: "open", value: open } }));
  });
}
