import type { DescMessage } from "@bufbuild/protobuf";
import type { JsMsg } from "@nats-io/jetstream";
import type { Logger } from "pino";
import { Failure } from "../server/failure.ts";
import { openConsumer } from "./consumer.ts";
import { openDeadLetters } from "./deadLetters.ts";
import { contentTypeOf, decodeMessage } from "./decode.ts";
import { inBatches } from "./inBatches.ts";
import type { BusMetrics } from "./metrics.ts";
import type { BusSettings } from "./settings.ts";
import type { Source } from "./sources.ts";
import { startingPosition } from "./startingPosition.ts";
import { type Arrived, createStore } from "./store.ts";
import type { StreamState } from "./streams.ts";
import type { Turn } from "./turns.ts";

/** Messages recorded in one transaction, at most. */
const batchMaxMessages = 500;

export type Consuming<Desc extends DescMessage, Row, Outcome extends { readonly kind: string }> = {
  readonly of: Source<Desc, Row, Outcome>;
  readonly settings: BusSettings;
  readonly limits: {
    readonly messageMaxBytes: number;
    readonly busStoreBudgetMs: number;
    readonly busEveryMs: number;
  };
  /** Called once something is on record, for its place in the log. */
  readonly onStored: () => void;
  readonly metrics: BusMetrics;
  readonly log: Logger;
};

/**
 * Records what comes over a stream, from the committed position on, until the turn ends. The bus keeps no position for
 * it and is acked nothing: acks that it had confirmed were lost when it was killed. Throws whatever breaks the
 * flow; a new turn goes on from what is committed.
 */
export async function consume<Desc extends DescMessage, Row, Outcome extends { readonly kind: string }>(
  turn: Turn<StreamState>,
  consuming: Consuming<Desc, Row, Outcome>,
): Promise<void> {
  const { of, settings, limits, metrics, log } = consuming;
  const { link, seen, signal } = turn;
  const key = { source: of.name, stream: seen.name };
  const deadLetters = await openDeadLetters(link, seen, settings, log);
  const onMissed = (messages: number) => metrics.missed(of.name, messages);
  let at = await startingPosition(turn, key, { onMissed, log });

  async function refuse(message: JsMsg, failure: Failure): Promise<void> {
    await deadLetters.send(message, failure);
    metrics.deadLettered(of.name);
  }

  async function read(message: JsMsg): Promise<Arriving<Row>> {
    const place = { message, sequence: message.seq, messageMs: Number(message.timestampNanos / 1_000_000n) };
    try {
      const type = contentTypeOf(message);
      const decoded = decodeMessage(of.schema, type, message.data, limits.messageMaxBytes);
      return { ...place, row: of.row(decoded) };
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      await refuse(message, cause);
      return { ...place, row: undefined };
    }
  }

  const store = createStore<Row, Outcome, Arriving<Row>>({
    of,
    key,
    turn,
    budgetMs: limits.busStoreBudgetMs,
    refuse: ({ message }, cause) =>
      refuse(message, new Failure("INTERNAL", "the store refuses this record", { cause })),
    onOutcome(row, outcome) {
      metrics.consumed(of.name, outcome.kind);
      if (outcome.kind === "recorded") of.onRecorded(row);
    },
  });

  const messages = await openConsumer(
    turn,
    { sequence: at.sequence + 1, subject: settings[of.name].subject },
    { everyMs: limits.busEveryMs, onLag: (lag) => metrics.lag(of.name, lag) },
  );
  try {
    for await (const batch of inBatches(messages.incoming, batchMaxMessages)) {
      if (signal.aborted) return;
      at = await store(await Promise.all(batch.map(read)), at);
      consuming.onStored();
    }
  } finally {
    messages.close();
  }
}

type Arriving<Row> = Arrived<Row> & { readonly message: JsMsg };
