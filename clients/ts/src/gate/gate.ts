import { randomUUID } from "node:crypto";
import { clone, create, isMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { lockFolder } from "../disk/lock.ts";
import { refuseBrokenText, refuseTooLong } from "../encode.ts";
import { ConfigError, isRefusal, NotKeptError, noVerdictCause } from "../errors.ts";
import {
  type CheckWriteRequest,
  CheckWriteRequestSchema,
  type CheckWriteResponse,
  Durability,
  WriteOutcome,
} from "../gen/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../gen/parameter_change_auditor_service_pb.ts";
import { type Log, silent } from "../log.ts";
import type { Auditor } from "./deliver.ts";
import type { Entry } from "./entry.ts";
import { type Outbox, openOutbox } from "./outbox.ts";

/** The contract's deadline of a CheckWrite. */
const verdictWithinMs = 500;
/** The service takes no larger message. */
const maxWriteBytes = 4 * 1024 * 1024;

/** A CheckWriteRequest. Without a writeId it is sent with a new one. */
export type Write = MessageInitShape<typeof CheckWriteRequestSchema>;

/** What a write may go ahead on. */
export type Decision = {
  /** Names the write: the caller's, or one that was made for it. */
  readonly writeId: string;
  /** The service's verdict. Absent: it gave none in time. */
  readonly response?: CheckWriteResponse;
  /**
   * Why no verdict is on record, e.g. UNAVAILABLE: the record is on this machine's disk, and is delivered. Absent: the
   * service has it.
   */
  readonly cause?: string;
};

/** What the service will never take; it stays in the gate's folder. */
export type RefusedWrite = {
  /** When it happened. */
  readonly at: Date;
  /** The service's error. */
  readonly reason: string;
  /** The write as it was asked for. Absent: only the outcome of a decision was refused. */
  readonly write?: CheckWriteRequest;
  readonly decisionId?: string;
};

export type GateOptions = {
  /** Is told what is delivered late, and what cannot be. Absent: nobody is. */
  readonly log?: Log;
};

export type CallOptions = {
  /** Aborted: the call rejects with CANCELED. */
  readonly signal?: AbortSignal;
};

/** Asks before configuration writes. */
export type Gate = {
  /**
   * Asks whether a write may be made, for at most 500 ms; resolves when it may. Throws a ConfigError when it may not.
   * Where the service gives no verdict (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNKNOWN) the
   * write is allowed and taken as made: its record is on this machine's disk, and is delivered once, by this process
   * or the next. Any other ConnectError is the caller's to mend: a bad field, a bad token, a writeId of another write.
   */
  checkWrite(write: Write, options?: CallOptions): Promise<Decision>;
  /**
   * Asks like checkWrite, makes the write, and tells the service whether it was made: it was when `make` resolves, and
   * was not when it throws. When the service is away that is told later. What `make` returns or throws is passed on.
   */
  change<T>(write: Write, make: (decision: Decision) => T | Promise<T>, options?: CallOptions): Promise<T>;
  /**
   * Tells what became of an allowed write, later when the service is away. What it refuses is kept among `refused`.
   * Throws a NotKeptError alone.
   */
  confirm(decisionId: string, outcome: WriteOutcome): Promise<void>;
  /** How many writes and outcomes the service has not been told yet. */
  pending(): number;
  /** Oldest first. */
  refused(): Promise<readonly RefusedWrite[]>;
  /** Delivers until nothing is pending; rejects with the signal's reason. */
  flush(options?: CallOptions): Promise<void>;
  /** Stops delivering. What is pending stays in the folder for the next process. */
  close(): Promise<void>;
};

/**
 * Opens the folder that keeps what the service has not been told, makes it when it is not there, and goes on
 * delivering what an earlier process left in it. One process has a folder at a time.
 */
export async function openGate(
  transport: Transport,
  folder: string,
  options: GateOptions = {},
): Promise<Gate> {
  const auditor = createClient(ParameterChangeAuditorService, transport);
  const log = options.log ?? silent;
  const unlock = await lockFolder(folder);
  let outbox: Outbox;
  try {
    outbox = await openOutbox(folder, auditor, log);
  } catch (cause) {
    await unlock();
    throw cause;
  }

  async function confirm(decisionId: string, outcome: WriteOutcome): Promise<void> {
    const entry: Entry = { kind: "confirmation", decisionId, outcome, at: new Date() };
    try {
      await auditor.confirmWrite({ decisionId, outcome }, { timeoutMs: verdictWithinMs });
    } catch (cause) {
      if (!isRefusal(cause)) {
        await outbox.put(entry);
        return;
      }
      log.error(`the service refuses the outcome of decision ${decisionId}: ${String(cause)}`);
      await outbox.putAside(entry, String(cause));
    }
  }

  /** The decision on an allowed write, and the request as it was sent. */
  async function check(
    given: Write,
    signal: AbortSignal | undefined,
  ): Promise<[Decision, CheckWriteRequest]> {
    const write = isMessage(given, CheckWriteRequestSchema)
      ? clone(CheckWriteRequestSchema, given)
      : create(CheckWriteRequestSchema, given);
    if (write.writeId === "") write.writeId = randomUUID();
    const { writeId } = write;
    // Before the call, which would report what cannot be sent as INTERNAL and so open the gate.
    refuseBrokenText(write, "the write");
    refuseTooLong(toBinary(CheckWriteRequestSchema, write), maxWriteBytes, "the write");
    const answer = await verdict(auditor, write, signal);
    if (answer.kind === "none") return [{ writeId, cause: answer.cause }, write];
    const { response } = answer;
    const isRecorded = response.durability !== Durability.NOT_RECORDED;
    if (response.allowed)
      return [{ writeId, response, ...(isRecorded ? {} : { cause: "NOT_RECORDED" }) }, write];
    if (!isRecorded && !write.dryRun) {
      // A rejection is put on record by asking again.
      await outbox.put({ kind: "rejected", write, cause: "NOT_RECORDED", at: new Date() }).catch((cause) => {
        throw new ConfigError(response, { cause });
      });
    }
    throw new ConfigError(response);
  }

  return {
    async checkWrite(given, { signal } = {}) {
      const [decision, write] = await check(given, signal);
      if (decision.cause !== undefined && !write.dryRun) {
        await outbox.put({ kind: "ungated", write, cause: decision.cause, at: new Date() });
      }
      return decision;
    },
    async change(given, make, { signal } = {}) {
      if (given.dryRun)
        throw new TypeError("change makes the write, so dryRun must not be set; use checkWrite");
      const [decision, write] = await check(given, signal);
      const { cause } = decision;
      if (cause === undefined) {
        const decisionId = decision.response?.decisionId ?? "";
        return settled(
          () => make(decision),
          log,
          (outcome) => confirm(decisionId, outcome),
        );
      }
      const at = new Date();
      // Should this process end meanwhile, the write may have been made.
      const key = await outbox.put({ kind: "ungated", write, cause, at }, true);
      return settled(
        () => make(decision),
        log,
        (outcome) =>
          outbox.replace(key, {
            kind: outcome === WriteOutcome.APPLIED ? "applied" : "aborted",
            write,
            cause,
            at,
          }),
      );
    },
    confirm,
    pending: () => outbox.pending(),
    async refused() {
      return (await outbox.refused()).map(({ entry, refusal }) => ({
        at: entry.at,
        reason: refusal ?? "",
        ...(entry.kind === "confirmation" ? { decisionId: entry.decisionId } : { write: entry.write }),
      }));
    },
    flush: ({ signal } = {}) => outbox.flush(signal),
    async close() {
      await outbox.close();
      await unlock();
    },
  };
}

/** Makes a write and tells its outcome; its own error goes first. */
async function settled<T>(
  make: () => T | Promise<T>,
  log: Log,
  tell: (outcome: WriteOutcome) => Promise<void>,
): Promise<T> {
  let made: T;
  try {
    made = await make();
  } catch (cause) {
    await tell(WriteOutcome.ABORTED).catch((again: unknown) => {
      log.error(`this machine cannot keep that a write was not made: ${String(again)}`);
    });
    throw cause;
  }
  await tell(WriteOutcome.APPLIED).catch((cause: unknown) => {
    if (cause instanceof NotKeptError) throw cause;
    throw new NotKeptError("the write was made, and this machine cannot keep that it was", { cause });
  });
  return made;
}

type Verdict =
  | { readonly kind: "given"; readonly response: CheckWriteResponse }
  | { readonly kind: "none"; readonly cause: string };

async function verdict(
  auditor: Auditor,
  write: CheckWriteRequest,
  signal: AbortSignal | undefined,
): Promise<Verdict> {
  const calling = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Of our own too: an interceptor that waits, for a token say, is not under the transport's deadline.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new ConnectError("no verdict within 500 ms", Code.DeadlineExceeded);
      reject(error);
      calling.abort(error);
    }, verdictWithinMs);
  });
  const cancel = () => calling.abort(signal?.reason);
  signal?.addEventListener("abort", cancel);
  try {
    signal?.throwIfAborted();
    const call = auditor.checkWrite(write, { timeoutMs: verdictWithinMs, signal: calling.signal });
    return { kind: "given", response: await Promise.race([call, late]) };
  } catch (cause) {
    // Given up by the caller: whether the service has it is not known, and the write is not made.
    if (signal?.aborted) throw ConnectError.from(signal.reason, Code.Canceled);
    const why = noVerdictCause(cause);
    if (why === undefined) throw cause;
    return { kind: "none", cause: why };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}
