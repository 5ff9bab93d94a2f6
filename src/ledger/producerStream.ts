import { create } from "@bufbuild/protobuf";
import {
  RecordOutcome,
  type StreamAck,
  type StreamEventResult,
  StreamEventResultSchema,
  type StreamOpen,
  type StreamOpened,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { read } from "../db/read.ts";
import type { Journal } from "../journal/journal.ts";
import type { Buffered } from "../journal/spooled.ts";
import { requiredText } from "../server/bounds.ts";
import type { CallContext } from "../server/call.ts";
import { Failure, invalidField } from "../server/failure.ts";
import { inOrder } from "../server/inOrder.ts";
import { within } from "../server/within.ts";
import { idMaxBytes } from "./action.ts";
import type { Bookmark } from "./append.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { store } from "./store.ts";

const batchMaxItems = 1000;

/** The last offset of a batch, and the one expected after it, must fit 64 bits. */
const maxFirstOffset = 2n ** 63n - 1n - BigInt(batchMaxItems);

/** Batches of one stream that may wait for the journal; more are not read off the wire. */
const batchesUnderWay = 8;

/** Items in the producer's order. */
export type Batch<Item> = { readonly firstOffset: bigint; readonly items: readonly Item[] };

/** A message of a producer: the first opens the stream, every other carries a batch. */
export type ProducerMessage<Item> =
  | { readonly kind: "open"; readonly open: StreamOpen }
  | { readonly kind: "batch"; readonly batch: Batch<Item> }
  | { readonly kind: "none" };

/** What the server says, as the `message` of any of the streams' responses. */
export type StreamAnswer =
  | { readonly case: "opened"; readonly value: Omit<StreamOpened, "$typeName"> }
  | { readonly case: "ack"; readonly value: Omit<StreamAck, "$typeName"> };

/** What became of a row that the journal took. */
type Settled =
  | { readonly kind: "recorded" }
  | { readonly kind: "buffered" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "refused"; readonly failure: Failure };

/** What a stream carries: how its items become rows, and what is said of each. */
export type StreamOf<Item, Row, Outcome> = {
  /** Its kind in ledger.producer: producers of each kind have bookmarks of their own. */
  readonly kind: "a" | "f";
  /** The name of a batch's items in the contract. */
  readonly items: "actions" | "reports";
  readonly journal: Journal<Row, Outcome>;
  /** What a result calls the item. */
  name(item: Item): string;
  /** The item as a row, checked. Throws the Failure that refuses it alone. */
  row(item: Item, path: string, subject: string): Row;
  withBookmark(row: Row, bookmark: Bookmark): Row;
  settle(row: Row, outcome: Outcome | Buffered): Settled;
};

/**
 * Batches in, acks out in order. While one batch commits the next ones are read, so a stream is as fast
 * as the journal; a producer that does not read its acks is not read from either.
 */
export function createProducerStream<Item, Row, Outcome>(
  of: StreamOf<Item, Row, Outcome>,
  dependencies: Pick<LedgerDependencies, "pool" | "sequencer" | "identities">,
) {
  const producers = createProducers();
  const acked = createAckedOffsets();

  return async function* (
    messages: AsyncIterable<ProducerMessage<Item>>,
    context: CallContext,
  ): AsyncGenerator<StreamAnswer> {
    const incoming = messages[Symbol.asyncIterator]();
    const streamId = openedStream(await incoming.next());
    const { subject } = context.caller;
    const producer = producers.take(subject, streamId);
    try {
      const told = await lastOffset(dependencies, of.kind, subject, streamId, acked.of(subject, streamId));
      yield { case: "opened", value: { lastOffset: told } };
      const stream: Stream = { subject, streamId, expected: told + 1n, bookmark: told };
      const recordNext = (message: ProducerMessage<Item>): Promise<StreamAnswer> =>
        record(batchOf(message, of.items), stream, of, () => dependencies.sequencer.nudge());
      const batches = { [Symbol.asyncIterator]: () => incoming };
      const answers = inOrder(batches, recordNext, { underWay: batchesUnderWay, stop: producer.superseded });
      for await (const answer of answers) {
        if (answer.case === "ack") acked.note(subject, streamId, answer.value.lastOffset);
        yield answer;
      }
    } finally {
      producer.release();
    }
  };
}

/** A stream, and where it stands once all its batches so far are recorded. */
type Stream = {
  readonly subject: string;
  readonly streamId: string;
  /** The offset that would follow. */
  expected: bigint;
  /** The last offset that is remembered with a batch. */
  bookmark: bigint;
};

function openedStream(first: IteratorResult<ProducerMessage<unknown>>): string {
  if (first.done || first.value.kind !== "open") {
    throw invalidField("open", "is required: the first message names the stream");
  }
  return requiredText("open.stream_id", first.value.open.streamId, idMaxBytes);
}

function batchOf<Item>(message: ProducerMessage<Item>, items: string): Batch<Item> {
  if (message.kind !== "batch") throw invalidField("batch", "is required: only the first message opens");
  const { batch } = message;
  if (batch.firstOffset < 1n || batch.firstOffset > maxFirstOffset) {
    throw invalidField("batch.first_offset", `must be 1 to ${maxFirstOffset}`);
  }
  if (batch.items.length < 1 || batch.items.length > batchMaxItems) {
    throw invalidField(`batch.${items}`, `must have 1 to ${batchMaxItems} ${items}`);
  }
  return batch;
}

/** Nobody who opens a stream waits longer for Postgres: it may be away, and the spool takes what is sent. */
const lastOffsetWithinMs = 300;

/** What is on record, or acknowledged by this process, which may be in the spool yet. A hint for resuming. */
async function lastOffset(
  dependencies: Pick<LedgerDependencies, "pool" | "identities">,
  kind: "a" | "f",
  subject: string,
  streamId: string,
  acked: bigint,
): Promise<bigint> {
  const stored = storedOffset(dependencies, kind, subject, streamId);
  const found = await within(stored, lastOffsetWithinMs, acked);
  return found > acked ? found : acked;
}

async function storedOffset(
  dependencies: Pick<LedgerDependencies, "pool" | "identities">,
  kind: "a" | "f",
  subject: string,
  streamId: string,
): Promise<bigint> {
  // A name in which a wallet was closed since is on record with what stands for the wallet.
  const { closedForm } = dependencies.identities;
  const [row] = await read<{ last_offset: string | null }>(dependencies.pool, {
    name: "ledger.lastOffset",
    text: `select max(last_offset)::text as last_offset from ledger.producer
           where subject in ($1, $2) and stream = $3::"char" and stream_id in ($4, $5)`,
    values: [subject, closedForm(subject), kind, streamId, closedForm(streamId)],
  });
  return BigInt(row?.last_offset ?? 0);
}

/**
 * Records a batch. Bad items are refused by themselves; the ack comes when all others are durable. The
 * stream has moved on when this returns, before the batch is recorded.
 */
async function record<Item, Row, Outcome>(
  batch: Batch<Item>,
  stream: Stream,
  of: StreamOf<Item, Row, Outcome>,
  onRecorded: () => void,
): Promise<StreamAnswer> {
  const { expected, streamId, subject } = stream;
  const agrees = batch.firstOffset === expected;
  const lastOffset = batch.firstOffset + BigInt(batch.items.length) - 1n;
  stream.expected = lastOffset + 1n;
  const results: StreamEventResult[] = [];
  const rows: Row[] = [];
  const sent: { readonly offset: bigint; readonly name: string }[] = [];
  for (const [index, item] of batch.items.entries()) {
    const at = { offset: batch.firstOffset + BigInt(index), name: of.name(item) };
    try {
      rows.push(of.row(item, `${of.items}[${index}].`, subject));
      sent.push(at);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      results.push(refused(at, cause));
    }
  }

  const last = rows.at(-1);
  if (last !== undefined) {
    // The offset is remembered in the transaction that stores the batch's last row, hence all of it.
    const bookmark = { streamId, offset: lastOffset, follows: agrees ? stream.bookmark : null };
    rows[rows.length - 1] = of.withBookmark(last, bookmark);
    stream.bookmark = lastOffset;
    const outcomes = await store(of.journal, `${subject} ${streamId}`, rows);
    let recorded = false;
    for (const [index, outcome] of outcomes.entries()) {
      const row = rows[index];
      const at = sent[index];
      if (row === undefined || at === undefined)
        throw new Error("the journal answered for rows it was not given");
      const settled = of.settle(row, outcome);
      if (settled.kind === "recorded") recorded = true;
      else if (settled.kind === "refused") results.push(refused(at, settled.failure));
      else results.push(durableOtherwise(at, settled.kind));
    }
    if (recorded) onRecorded();
  }

  results.sort((a, b) => Number(a.offset - b.offset));
  const offsetDisagreement = {
    $typeName: "polytraders.governance.v1.OffsetDisagreement" as const,
    expectedOffset: expected,
    receivedOffset: batch.firstOffset,
  };
  return { case: "ack", value: { lastOffset, results, ...(agrees ? {} : { offsetDisagreement }) } };
}

/** Of an item that is durable, but not simply recorded. */
function durableOtherwise(
  { offset, name }: { offset: bigint; name: string },
  kind: "duplicate" | "buffered",
): StreamEventResult {
  const outcome = kind === "duplicate" ? RecordOutcome.DUPLICATE : RecordOutcome.BUFFERED;
  return create(StreamEventResultSchema, { offset, eventId: cutToBytes(name, idMaxBytes), outcome });
}

function refused({ offset, name }: { offset: bigint; name: string }, failure: Failure): StreamEventResult {
  return create(StreamEventResultSchema, {
    offset,
    eventId: cutToBytes(name, idMaxBytes),
    reason: failure.reasonNumber,
    field: failure.field ?? "",
    message: failure.message,
  });
}

/** The text, or as many of its first characters as fit. */
function cutToBytes(text: string, maxBytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}

/** Streams whose offsets are remembered; the one that was acknowledged longest ago is forgotten first. */
const rememberedMax = 10_000;

function createAckedOffsets() {
  const offsets = new Map<string, bigint>();
  const keyOf = (subject: string, streamId: string) => JSON.stringify([subject, streamId]);
  return {
    of: (subject: string, streamId: string): bigint => offsets.get(keyOf(subject, streamId)) ?? 0n,
    note(subject: string, streamId: string, offset: bigint): void {
      const key = keyOf(subject, streamId);
      offsets.delete(key);
      offsets.set(key, offset);
      if (offsets.size <= rememberedMax) return;
      for (const oldest of offsets.keys()) {
        offsets.delete(oldest);
        return;
      }
    },
  };
}

type Producer = {
  /** Aborted when another stream of the same producer was opened. */
  readonly superseded: AbortSignal;
  release(): void;
};

/**
 * One live stream a producer: a new one ends the old one, because after a half-open cut the server may
 * see the old one for longer than its producer does.
 */
function createProducers(): { take(subject: string, streamId: string): Producer } {
  const live = new Map<string, AbortController>();
  return {
    take(subject, streamId) {
      const key = JSON.stringify([subject, streamId]);
      const text = `another stream ${JSON.stringify(streamId)} was opened`;
      live.get(key)?.abort(new Failure("STREAM_SUPERSEDED", text));
      const controller = new AbortController();
      live.set(key, controller);
      return {
        superseded: controller.signal,
        release() {
          if (live.get(key) === controller) live.delete(key);
        },
      };
    },
  };
}
