import type { ConsumerMessages, ConsumerNotification, JsMsg } from "@nats-io/jetstream";
import type { StreamState } from "./streams.ts";
import type { Turn } from "./turns.ts";

/** What comes over a stream, in order and without a gap. */
export type Consumer = {
  /** Ends with the turn; throws when the bus does not keep the flow up. */
  readonly incoming: AsyncIterable<JsMsg>;
  close(): void;
};

/** Messages that the bus sends ahead: they are held in memory. */
const aheadMaxMessages = 500;
/** A consumer that says nothing for two of them is given up. */
const heartbeatMs = 1_000;
const expiresMs = 4_000;
/** The bus forgets a consumer that nobody asks. */
const forgottenAfterNs = 30 * 1_000_000_000;

const troubles: ReadonlySet<ConsumerNotification["type"]> = new Set([
  "heartbeats_missed",
  "consumer_deleted",
  "consumer_not_found",
  "stream_not_found",
  "exceeded_limits",
  "no_responders",
]);

/**
 * Reads a stream from a sequence on by a consumer of its own, which the bus keeps nothing of. `onLag` is told how many
 * messages wait.
 */
export async function openConsumer(
  { link, seen, signal }: Pick<Turn<StreamState>, "link" | "seen" | "signal">,
  from: { readonly sequence: number; readonly subject: string },
  { everyMs, onLag }: { readonly everyMs: number; readonly onLag: (messages: number) => void },
): Promise<Consumer> {
  const { name } = await link.jsm.consumers.add(seen.name, {
    ack_policy: "none",
    deliver_policy: "by_start_sequence",
    opt_start_seq: from.sequence,
    filter_subject: from.subject,
    inactive_threshold: forgottenAfterNs,
    mem_storage: true,
  });
  const consumer = await link.js.consumers.get(seen.name, name);
  const messages = await consumer.consume({
    max_messages: aheadMaxMessages,
    expires: expiresMs,
    idle_heartbeat: heartbeatMs,
    abort_on_missing_resource: true,
  });
  let trouble: string | undefined;
  const stop = () => messages.stop();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  watch(messages, (type) => {
    trouble ??= type;
    stop();
  }).catch(stop);
  const timer = setInterval(() => {
    // What is wrong with it shows elsewhere.
    consumer.info().then(
      (info) => onLag(info.num_pending),
      () => undefined,
    );
  }, everyMs);

  async function* incoming(): AsyncGenerator<JsMsg> {
    let delivered = 0;
    for await (const message of messages) {
      if (message.info.deliverySequence !== ++delivered) throw new Error("the bus left a message out");
      yield message;
    }
    if (!signal.aborted) throw new Error(`the bus ended the stream: ${trouble ?? "no reason given"}`);
  }

  return {
    incoming: incoming(),
    close() {
      clearInterval(timer);
      onLag(0);
      signal.removeEventListener("abort", stop);
      stop();
      consumer.delete().catch(() => undefined); // The bus forgets it by itself, too.
    },
  };
}

async function watch(messages: ConsumerMessages, onTrouble: (type: string) => void): Promise<void> {
  for await (const { type } of messages.status()) if (troubles.has(type)) onTrouble(type);
}
