import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  clone,
  create,
  type DescMessage,
  fromBinary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { createClient, type Transport } from "@connectrpc/connect";
import { isCode, replaceFile } from "../disk/durable.ts";
import { openJournal } from "../disk/journal.ts";
import { lockFolder } from "../disk/lock.ts";
import { refuseTooLong } from "../encode.ts";
import {
  type ExecutionReport,
  ExecutionReportSchema,
  type StreamEventResult,
  StreamEventResultSchema,
  type UserAction,
  UserActionSchema,
} from "../gen/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../gen/user_activity_ledger_service_pb.ts";
import { type Log, silent } from "../log.ts";
import { type Condition, createCondition } from "../waiting.ts";
import { runLane } from "./lane.ts";
import { openQueue, type Queue } from "./queue.ts";
import {
  actionRecords,
  actionStream,
  messageIn,
  type OpenStream,
  reportRecords,
  reportStream,
} from "./streams.ts";

/** Any valid record is smaller by far. */
const maxRecordBytes = 1024 * 1024;

export type ActionInit = MessageInitShape<typeof UserActionSchema>;
export type ReportInit = MessageInitShape<typeof ExecutionReportSchema>;

/** What the service will never take, and its word on it; it stays in the recorder's folder. */
export type RefusedRecord =
  | { readonly kind: "action"; readonly action: UserAction; readonly result: StreamEventResult }
  | { readonly kind: "report"; readonly report: ExecutionReport; readonly result: StreamEventResult };

export type RecorderOptions = {
  /** The beginning of the streams' names, at most 64 bytes. Absent: "ts". */
  readonly stream?: string;
  /** How much may wait on disk, of actions and of reports each. Absent: 1 GiB. */
  readonly maxBytes?: number;
  /** Is told of cut streams and refused records. Absent: nobody is. */
  readonly log?: Log;
  /** Is told of each record that the service refused for ever. */
  readonly onRefused?: (refused: RefusedRecord) => void;
};

/** Keeps user actions and execution reports on disk until the service has them. */
export type Recorder = {
  /**
   * Keeps actions, all or none: they are on disk when it resolves, and are sent by this process or the next. Several in
   * one call, or in calls at the same time, cost one fsync. An action without eventId gets one, and the time as
   * occurredAt. Resolves to the actions as they are kept. Throws a RecorderFullError, a TypeError, or the disk's error.
   */
  recordActions(actions: readonly ActionInit[]): Promise<readonly UserAction[]>;
  /** Keeps execution reports, as recordActions keeps actions. */
  recordReports(reports: readonly ReportInit[]): Promise<readonly ExecutionReport[]>;
  /** What the service does not have yet. */
  pending(): { readonly actions: number; readonly reports: number };
  /** All that was refused, oldest first. */
  refused(): Promise<readonly RefusedRecord[]>;
  /** Waits until the service has, or has refused, all that was recorded before; rejects with the signal's reason. */
  flush(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Stops sending. What is pending stays in the folder for the next process. */
  close(): Promise<void>;
};

/**
 * Opens the folder that keeps what the service does not have yet, makes it when it is not there, and goes on sending
 * what an earlier process left in it. One process has a folder at a time. Never copy it back from a backup: its
 * offsets would be used twice.
 */
export async function openRecorder(
  transport: Transport,
  folder: string,
  options: RecorderOptions = {},
): Promise<Recorder> {
  const { stream = "ts", maxBytes = 1024 ** 3, log = silent, onRefused = () => {} } = options;
  if (Buffer.byteLength(stream) > 64) throw new RangeError("stream has more than 64 bytes");
  const unlock = await lockFolder(folder);
  try {
    // Each folder has streams of its own: a lost one does not leave its offsets to the next.
    const streamId = `${stream}/${await identityOf(folder)}`;
    const ledger = createClient(UserActivityLedgerService, transport);
    const common = { folder, streamId, maxBytes, log };
    const actions = await openKind({
      ...common,
      name: "actions",
      schema: UserActionSchema,
      open: actionStream(ledger),
      encode: actionRecords,
      refusedAs: (action, result) => ({ kind: "action", action, result }),
      onRefused,
    });
    const reports = await openKind({
      ...common,
      name: "reports",
      schema: ExecutionReportSchema,
      open: reportStream(ledger),
      encode: reportRecords,
      refusedAs: (report, result) => ({ kind: "report", report, result }),
      onRefused,
    });
    return {
      recordActions: (all) => actions.record(all.map(identified)),
      recordReports: (all) => reports.record(all.map((report) => create(ExecutionReportSchema, report))),
      pending: () => ({ actions: actions.pending(), reports: reports.pending() }),
      refused: async () => [...(await actions.refused()), ...(await reports.refused())],
      async flush({ signal } = {}) {
        await Promise.all([actions.flush(signal), reports.flush(signal)]);
      },
      async close() {
        await Promise.all([actions.close(), reports.close()]);
        await unlock();
      },
    };
  } catch (cause) {
    await unlock();
    throw cause;
  }
}

async function identityOf(folder: string): Promise<string> {
  const path = join(folder, "identity");
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (!isCode(cause, "ENOENT")) throw cause;
  }
  const identity = randomUUID();
  await replaceFile(path, Buffer.from(identity));
  return identity;
}

function identified(given: ActionInit): UserAction {
  const action = isMessage(given, UserActionSchema)
    ? clone(UserActionSchema, given)
    : create(UserActionSchema, given);
  if (action.eventId === "") {
    action.eventId = randomUUID();
    action.occurredAt ??= timestampNow();
  }
  return action;
}

type KindOptions<D extends DescMessage> = {
  readonly folder: string;
  readonly name: string;
  readonly schema: D;
  readonly streamId: string;
  readonly maxBytes: number;
  readonly log: Log;
  readonly open: OpenStream;
  readonly encode: (messages: readonly MessageShape<D>[]) => Uint8Array[];
  readonly refusedAs: (record: MessageShape<D>, result: StreamEventResult) => RefusedRecord;
  readonly onRefused: (refused: RefusedRecord) => void;
};

/** Actions, or reports: a queue, what sends it, and what was refused of it. */
async function openKind<D extends DescMessage>(options: KindOptions<D>) {
  const { folder, name, schema, log } = options;
  const condition: Condition = createCondition();
  const stop = new AbortController();
  /** Where the refused records are, by their offset: what is sent again is refused again. */
  const places = new Map<number, number>();
  const aside = await openJournal(join(folder, `${name}-refused.log`), log, ({ number, position }) =>
    places.set(number, position),
  );
  const queue: Queue = await openQueue(folder, name, options.maxBytes, log, () => condition.changed());
  const running = runLane(
    {
      queue,
      condition,
      open: options.open,
      streamId: options.streamId,
      what: name,
      log,
      onRefused: putAside,
    },
    stop.signal,
  );

  async function putAside(offset: number, record: Uint8Array, result: StreamEventResult): Promise<void> {
    if (places.has(offset)) return;
    const word = toBinary(StreamEventResultSchema, result);
    const both = new BinaryWriter().bytes(record).bytes(word).finish();
    const [position] = await aside.append([{ number: offset, record: both }]);
    if (position !== undefined) places.set(offset, position);
    log.error(`the service refuses one of ${name}; it is kept aside: ${result.message}`);
    options.onRefused(refusedOf(both));
  }

  function refusedOf(both: Uint8Array): RefusedRecord {
    const reader = new BinaryReader(both);
    const record = messageIn(schema, reader.bytes());
    return options.refusedAs(record, fromBinary(StreamEventResultSchema, reader.bytes()));
  }

  return {
    async record(messages: readonly MessageShape<D>[]): Promise<readonly MessageShape<D>[]> {
      const records = options.encode(messages);
      records.forEach((record, index) => {
        if (record.length > maxRecordBytes) refuseTooLong(record, maxRecordBytes, `${name}[${index}]`);
      });
      await queue.add(records);
      return messages;
    },
    pending: () => queue.last() - queue.acked(),
    async refused(): Promise<readonly RefusedRecord[]> {
      const positions = [...places.values()];
      return Promise.all(
        positions.map(async (position) => refusedOf((await aside.read(() => position)).record)),
      );
    },
    async flush(signal: AbortSignal | undefined): Promise<void> {
      const target = queue.last();
      await condition.until(() => queue.acked() >= target, signal);
    },
    async close(): Promise<void> {
      stop.abort(new Error("closed"));
      await running;
      await queue.close();
      await aside.close();
    },
  };
}
