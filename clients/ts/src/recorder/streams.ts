import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Client } from "@connectrpc/connect";
import { refuseBrokenText } from "../encode.ts";
import {
  type ExecutionReport,
  ExecutionReportBatchSchema,
  type StreamAck,
  type StreamExecutionReportsRequest,
  StreamExecutionReportsRequestSchema,
  type StreamOpened,
  type StreamUserActionsRequest,
  StreamUserActionsRequestSchema,
  type UserAction,
  UserActionBatchSchema,
} from "../gen/user_activity_ledger_pb.ts";
import type { UserActivityLedgerService } from "../gen/user_activity_ledger_service_pb.ts";
import type { Batch } from "./queue.ts";

/** The first message names the stream, the others carry records. */
export type Outgoing =
  | { readonly kind: "open"; readonly streamId: string }
  | { readonly kind: "batch"; readonly batch: Batch };

export type Incoming = {
  readonly message:
    | { readonly case: "opened"; readonly value: StreamOpened }
    | { readonly case: "ack"; readonly value: StreamAck }
    | { readonly case: undefined };
};

/** One stream to the service, of actions or of reports. */
export type OpenStream = (outgoing: AsyncIterable<Outgoing>, signal: AbortSignal) => AsyncIterable<Incoming>;

type Ledger = Client<typeof UserActivityLedgerService>;

export function actionStream(ledger: Ledger): OpenStream {
  async function* requests(outgoing: AsyncIterable<Outgoing>): AsyncIterable<StreamUserActionsRequest> {
    for await (const one of outgoing) {
      yield create(StreamUserActionsRequestSchema, {
        message:
          one.kind === "open"
            ? { case: "open", value: { streamId: one.streamId } }
            : { case: "batch", value: filled(create(UserActionBatchSchema), "actions", one.batch) },
      });
    }
  }
  return (outgoing, signal) => ledger.streamUserActions(requests(outgoing), { signal });
}

export function reportStream(ledger: Ledger): OpenStream {
  async function* requests(outgoing: AsyncIterable<Outgoing>): AsyncIterable<StreamExecutionReportsRequest> {
    for await (const one of outgoing) {
      yield create(StreamExecutionReportsRequestSchema, {
        message:
          one.kind === "open"
            ? { case: "open", value: { streamId: one.streamId } }
            : { case: "batch", value: filled(create(ExecutionReportBatchSchema), "reports", one.batch) },
      });
    }
  }
  return (outgoing, signal) => ledger.streamExecutionReports(requests(outgoing), { signal });
}

const fieldNumbers = {
  actions: UserActionBatchSchema.field.actions.number,
  reports: ExecutionReportBatchSchema.field.reports.number,
};

/** Records go as the bytes they are kept as: they need not be read to be sent. */
function filled<M extends Message & { firstOffset: bigint }>(
  message: M,
  field: keyof typeof fieldNumbers,
  batch: Batch,
): M {
  message.firstOffset = BigInt(batch.first);
  message.$unknown = batch.records.map((data) => ({
    no: fieldNumbers[field],
    wireType: WireType.LengthDelimited,
    data,
  }));
  return message;
}

/**
 * Messages as they are kept: each with its length before it, as a field of a batch has it. Encoding them as one batch is
 * a third of the work of doing it one by one. Throws a TypeError for text that would arrive changed.
 */
export function actionRecords(actions: readonly UserAction[]): Uint8Array[] {
  const batch = create(UserActionBatchSchema, { actions: [...actions] });
  return split(unbroken(toBinary(UserActionBatchSchema, batch), actions, "actions"));
}

/** Likewise. */
export function reportRecords(reports: readonly ExecutionReport[]): Uint8Array[] {
  const batch = create(ExecutionReportBatchSchema, { reports: [...reports] });
  return split(unbroken(toBinary(ExecutionReportBatchSchema, batch), reports, "reports"));
}

/** Half of a surrogate pair is encoded as U+FFFD: only where that stands is the text looked through. */
function unbroken(batch: Uint8Array, messages: readonly Message[], what: string): Uint8Array {
  if (Buffer.from(batch.buffer, batch.byteOffset, batch.length).includes("\ufffd")) {
    for (const [index, message] of messages.entries()) refuseBrokenText(message, `${what}[${index}]`);
  }
  return batch;
}

function split(batch: Uint8Array): Uint8Array[] {
  const reader = new BinaryReader(batch);
  const records: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    records.push(reader.skip(wireType, number));
  }
  return records;
}

/** The message in a record. */
export function messageIn<D extends DescMessage>(schema: D, record: Uint8Array): MessageShape<D> {
  return fromBinary(schema, new BinaryReader(record).bytes());
}
