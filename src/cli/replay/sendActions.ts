import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import {
  RecordOutcome,
  type StreamAck,
  type StreamUserActionsRequestSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Connection } from "../connection/connection.ts";
import { enumName } from "../output/enumName.ts";
import type { ActionFields } from "../rows/userAction.ts";
import { ResendQueue } from "./resendQueue.ts";
import { isWorthRetrying, pause, triesMax } from "./retry.ts";
import { actionOf, type Row, withProblem } from "./rows.ts";
import type { Tally } from "./tally.ts";

/** What both senders are given. */
export type Sending = {
  readonly connection: Connection;
  /** The file's name without its folder. */
  readonly name: string;
  readonly tally: Tally;
  readonly onAnswer: () => void;
  readonly stop: AbortSignal;
};

type Request = MessageInitShape<typeof StreamUserActionsRequestSchema>;

type Batch = { readonly firstOffset: bigint; readonly actions: ActionFields[]; readonly lines: number[] };

const batchMaxActions = 500;

/** With a longest line behind it, a batch stays under the 4 MiB that the service takes in one message. */
const batchMaxBytes = 512 * 1024;

/** Batches sent and not acknowledged yet; the service reads no more than this ahead either. */
const batchesUnderWay = 8;

const streamIdMaxBytes = 128;

/**
 * Sends user actions through StreamUserActions, in batches, in the order of the file. Everything is sent,
 * whatever offset the service remembers of an earlier run: whether an action is new is told by its event_id
 * alone. A stream that is cut is opened again and goes on with the first batch that was not acknowledged.
 */
export async function sendActions(rows: AsyncIterable<Row>, sending: Sending): Promise<void> {
  const { connection, tally, stop } = sending;
  const ledger = connection.client(UserActivityLedgerService);
  const queue = new ResendQueue(batchesOf(rows, tally), batchesUnderWay);
  const streamId = streamIdOf(sending.name);
  let hasAnswered = false;
  for (let tries = 1; ; tries++) {
    using turn = queue.turn();
    try {
      for await (const { message } of ledger.streamUserActions(requests(streamId, turn.items()))) {
        hasAnswered = true;
        if (message.case !== "ack") continue;
        tries = 1;
        count(message.value, queue.acknowledge(), tally);
        sending.onAnswer();
      }
      if (queue.isDone) return;
      throw new ConnectError("the stream ended before all batches were acknowledged", Code.Unavailable);
    } catch (cause) {
      if (tries >= triesMax || !isWorthRetrying(cause, hasAnswered)) throw cause;
    }
    await pause(tries, stop);
  }
}

/** The end of a long name tells more files apart than its beginning. */
function streamIdOf(name: string): string {
  let id = name;
  while (Buffer.byteLength(id) > streamIdMaxBytes) id = id.slice(1);
  return id.toWellFormed();
}

async function* requests(streamId: string, batches: AsyncIterable<Batch>): AsyncGenerator<Request> {
  yield { message: { case: "open", value: { streamId } } };
  for await (const { firstOffset, actions } of batches) {
    yield { message: { case: "batch", value: { firstOffset, actions } } };
  }
}

async function* batchesOf(rows: AsyncIterable<Row>, tally: Tally): AsyncGenerator<Batch> {
  let batch: Batch = { firstOffset: 1n, actions: [], lines: [] };
  let bytes = 0;
  for await (const row of rows) {
    const action = row.kind === "bad" ? row.problem : withProblem(() => actionOf(row.object));
    if (row.kind === "bad" || typeof action === "string") {
      tally.refuse({ line: row.number, reason: "BAD_ROW", message: String(action) });
      continue;
    }
    batch.actions.push(action);
    batch.lines.push(row.number);
    bytes += row.bytes;
    if (batch.actions.length < batchMaxActions && bytes < batchMaxBytes) continue;
    yield batch;
    batch = { firstOffset: batch.firstOffset + BigInt(batch.actions.length), actions: [], lines: [] };
    bytes = 0;
  }
  if (batch.actions.length > 0) yield batch;
}

/** Every action that an ack does not list was simply recorded. */
function count(ack: StreamAck, batch: Batch, tally: Tally): void {
  tally.sent += batch.actions.length;
  tally.recorded += batch.actions.length - ack.results.length;
  for (const result of ack.results) {
    if (result.outcome === RecordOutcome.DUPLICATE) {
      tally.duplicates++;
    } else if (result.outcome === RecordOutcome.BUFFERED) {
      tally.recorded++;
      tally.buffered++;
    } else {
      const line = batch.lines[Number(result.offset - batch.firstOffset)] ?? 0;
      tally.refuse({ line, reason: enumName(ErrorReason, result.reason), message: result.message });
    }
  }
}
