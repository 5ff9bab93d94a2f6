import { create } from "@bufbuild/protobuf";
import {
  RecordOutcome,
  type StreamEventResult,
  StreamEventResultSchema,
  type StreamUserActionsRequest,
  type StreamUserActionsResponse,
  StreamUserActionsResponseSchema,
  type UserActionBatch,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { read } from "../db/read.ts";
import { requiredText } from "../server/bounds.ts";
import type { CallContext } from "../server/call.ts";
import { Failure, invalidField } from "../server/failure.ts";
import { inOrder } from "../server/inOrder.ts";
import { idMaxBytes, parseAction } from "./action.ts";
import type { ActionRow, AppendOutcome } from "./append.ts";
import type { LedgerDependencies } from "./dependencies.ts";
import { actionRow, conflict, store } from "./storeActions.ts";

const batchMaxActions = 1000;

/** The last offset of a batch, and the one expected after it, must fit 64 bits. */
const maxFirstOffset = 2n ** 63n - 1n - BigInt(batchMaxActions);

/** Batches of one stream that may wait for the journal; more are not read off the wire. */
const batchesUnderWay = 8;

/**
 * StreamUserActions: batches in, acks out in order. While one batch commits the next ones are read, so a
 * stream is as fast as the journal; a producer that does not read its acks is not read from either.
 */
export function createActionStream(dependencies: LedgerDependencies) {
  const producers = createProducers();

  return async function* (
    requests: AsyncIterable<StreamUserActionsRequest>,
    context: CallContext,
  ): AsyncGenerator<StreamUserActionsResponse> {
    const incoming = requests[Symbol.asyncIterator]();
    const streamId = openedStream(await incoming.next());
    const { subject } = context.caller;
    const producer = producers.take(subject, streamId);
    try {
      const told = await lastOffset(dependencies, subject, streamId);
      yield create(StreamUserActionsResponseSchema, {
        message: { case: "opened", value: { lastOffset: told } },
      });
      const stream: Stream = { subject, streamId, expected: told + 1n, bookmark: told };
      const recordNext = (request: StreamUserActionsRequest) =>
        record(batchOf(request), stream, dependencies);
      const batches = { [Symbol.asyncIterator]: () => incoming };
      yield* inOrder(batches, recordNext, { underWay: batchesUnderWay, stop: producer.superseded });
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

function openedStream(first: IteratorResult<StreamUserActionsRequest>): string {
  if (first.done || first.value.message.case !== "open") {
    throw invalidField("open", "is required: the first message names the stream");
  }
  return requiredText("open.stream_id", first.value.message.value.streamId, idMaxBytes);
}

function batchOf(request: StreamUserActionsRequest): UserActionBatch {
  if (request.message.case !== "batch")
    throw invalidField("batch", "is required: only the first message opens");
  const batch = request.message.value;
  if (batch.firstOffset < 1n || batch.firstOffset > maxFirstOffset) {
    throw invalidField("batch.first_offset", `must be 1 to ${maxFirstOffset}`);
  }
  if (batch.actions.length < 1 || batch.actions.length > batchMaxActions) {
    throw invalidField("batch.actions", `must have 1 to ${batchMaxActions} actions`);
  }
  return batch;
}

async function lastOffset(
  dependencies: LedgerDependencies,
  subject: string,
  streamId: string,
): Promise<bigint> {
  const [row] = await read<{ last_offset: string }>(dependencies.pool, {
    name: "ledger.lastOffset",
    text: "select last_offset::text as last_offset from ledger.producer where subject = $1 and stream = 'a' and stream_id = $2",
    values: [subject, streamId],
  });
  return BigInt(row?.last_offset ?? 0);
}

/**
 * Records a batch. Bad actions are refused by themselves; the ack comes when all others are durable. The
 * stream has moved on when this returns, before the batch is recorded.
 */
async function record(
  batch: UserActionBatch,
  stream: Stream,
  dependencies: LedgerDependencies,
): Promise<StreamUserActionsResponse> {
  const { expected, streamId, subject } = stream;
  const agrees = batch.firstOffset === expected;
  const lastOffset = batch.firstOffset + BigInt(batch.actions.length) - 1n;
  stream.expected = lastOffset + 1n;
  const results: StreamEventResult[] = [];
  const rows: ActionRow[] = [];
  const offsets: bigint[] = [];
  for (const [index, fields] of batch.actions.entries()) {
    const offset = batch.firstOffset + BigInt(index);
    try {
      rows.push(actionRow(parseAction(fields, `actions[${index}].`), subject, dependencies));
      offsets.push(offset);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      results.push(refused(offset, fields.eventId, cause));
    }
  }

  const last = rows.at(-1);
  if (last !== undefined) {
    // The offset is remembered in the transaction that stores the batch's last row, hence all of it.
    const bookmark = { streamId, offset: lastOffset, follows: agrees ? stream.bookmark : null };
    rows[rows.length - 1] = { ...last, bookmark };
    stream.bookmark = lastOffset;
    const outcomes = await store(dependencies.journal, `${subject} ${streamId}`, rows);
    let recorded = false;
    for (const [index, outcome] of outcomes.entries()) {
      const row = rows[index];
      const offset = offsets[index];
      if (row === undefined || offset === undefined)
        throw new Error("the journal answered for rows it was not given");
      if (outcome.kind === "recorded") {
        dependencies.onRecorded(row.action.actionType);
        recorded = true;
      } else {
        results.push(notRecorded(offset, row, outcome));
      }
    }
    if (recorded) dependencies.sequencer.nudge();
  }

  results.sort((a, b) => Number(a.offset - b.offset));
  return create(StreamUserActionsResponseSchema, {
    message: {
      case: "ack",
      value: {
        lastOffset,
        results,
        ...(agrees
          ? {}
          : { offsetDisagreement: { expectedOffset: expected, receivedOffset: batch.firstOffset } }),
      },
    },
  });
}

function notRecorded(offset: bigint, row: ActionRow, outcome: AppendOutcome): StreamEventResult {
  if (outcome.kind === "conflict") return refused(offset, row.action.eventId, conflict(row.action.eventId));
  return create(StreamEventResultSchema, {
    offset,
    eventId: row.action.eventId,
    outcome: RecordOutcome.DUPLICATE,
  });
}

function refused(offset: bigint, eventId: string, failure: Failure): StreamEventResult {
  return create(StreamEventResultSchema, {
    offset,
    eventId: cutToBytes(eventId, idMaxBytes),
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
