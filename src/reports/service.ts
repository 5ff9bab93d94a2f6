import type pg from "pg";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { ReportService } from "../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import type {
  StreamReportsRequest,
  StreamReportsResponse,
} from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import type { AccessLog } from "../access/accessLog.ts";
import type { Clock } from "../clock.ts";
import { textOfFilters } from "../log/filters.ts";
import type { Sequencer } from "../log/sequencer.ts";
import { type CallContext, type Rpc, serverStream } from "../server/call.ts";
import { Failure, invalidField } from "../server/failure.ts";
import { epochChanged, readEpoch } from "./epochs.ts";
import type { Batch } from "./item.ts";
import { showReaders } from "./metrics.ts";
import { allParts, type ReportPlace } from "./place.ts";
import { createReadBatch } from "./readBatch.ts";
import { redactedMessage } from "./redact.ts";
import { matcher, parseFilters, parseProgress, parseStart, type Start } from "./request.ts";
import { subscribe } from "./subscription.ts";
import { createTail } from "./tail.ts";
import { createTurns } from "./turns.ts";

const methodName = "ReportService/StreamReports";

/** What is read at a time for all who read live, and how much of that is kept for them. */
const liveBatch = { maxRecords: 500, maxBytes: 256 * 1024 };
const ring = { maxBatches: 64, maxBytes: 16 * 1024 * 1024 };

/** What is read at a time for one that lags: it is held as long as its reader takes. */
const ownBatch = { maxRecords: 500, maxBytes: 128 * 1024 };

/** Before the log's first epoch, and behind its last. */
const firstPlace: ReportPlace = { epoch: 0, position: 0, part: allParts };
const lastEpoch = 2 ** 31 - 1;

/** Timers take no more. */
const longestTimerMs = 2 ** 31 - 1;

/** StreamReports, and what it needs of the process. Disposing ends all streams with SHUTTING_DOWN. */
export type Reports = Disposable & { readonly rpcs: readonly Rpc[] };

export function createReports(options: {
  readonly sequencer: Sequencer;
  /** Of its own: who reads much must not be in the way of lists and exports. */
  readonly pool: pg.Pool;
  readonly accessLog: AccessLog;
  readonly clock: Clock;
  readonly registry: Registry;
  /** publish_to_audit_log as it is in force (R27). */
  readonly publishesOperations: () => boolean;
  /** reportConnections: the pool's; reportsPollMs: how often other replicas' commits are looked for. */
  readonly limits: {
    readonly listCatchUpMs: number;
    readonly reportConnections: number;
    readonly reportsPollMs: number;
  };
  readonly log: Logger;
}): Reports {
  const { sequencer, pool, clock, limits, log, publishesOperations } = options;
  /** Where each reader is. */
  const underWay = new Map<AbortController, number>();
  let isStopping = false;
  const tail = createTail({
    readBatch: createReadBatch({ pool, publishesOperations, ...liveBatch }),
    nudge: sequencer.nudge,
    pollMs: limits.reportsPollMs,
    ring,
    log,
  });
  const readOwn = createReadBatch({ pool, publishesOperations, ...ownBatch });
  // One connection is the tail's.
  const inTurn = createTurns(limits.reportConnections - 1);
  let head = { epoch: 0, position: 0 };
  sequencer.onHead((now) => {
    head = now;
    tail.onHead(now);
  });
  showReaders(options.registry, () => ({ head: head.position, places: [...underWay.values()] }));
  /** Of an earlier epoch: before all of this one. */
  const inHead = (place: ReportPlace) => (place.epoch === head.epoch ? place.position : 0);

  async function placeOf(start: Start): Promise<ReportPlace> {
    if (start.kind === "now") return { ...(await end()), part: allParts };
    const from = start.kind === "beginning" ? firstPlace : start.place;
    const { epoch, last, next } = await readEpoch(pool, from.epoch);
    if (start.kind === "beginning") return { ...from, epoch };
    if (epoch !== from.epoch) throw epochChanged({ epoch, last, next });
    if (from.position <= last) return from;
    if (next !== undefined) throw epochChanged({ epoch, last, next });
    // Positions that a crash of the database took back are given again, the same ones.
    const now = await end();
    if (now.epoch !== epoch) throw epochChanged(await readEpoch(pool, epoch));
    if (from.position > now.position) throw invalidField("after.position", "is behind the end of the log");
    return from;
  }

  /** The log's end with what was committed before the call, unless an open transaction holds that up. */
  async function end(): Promise<{ readonly epoch: number; readonly position: number }> {
    try {
      const { epoch, position } = await sequencer.catchUp(limits.listCatchUpMs);
      return { epoch, position };
    } catch (cause) {
      if (!(cause instanceof Failure) || cause.reason !== "LOG_BEHIND") throw cause;
      const { epoch, last } = await readEpoch(pool, lastEpoch);
      return { epoch, position: last };
    }
  }

  async function* stream(
    request: StreamReportsRequest,
    context: CallContext,
  ): AsyncGenerator<StreamReportsResponse> {
    const filters = parseFilters(request);
    const start = parseStart(request);
    const progressMs = parseProgress(request);
    const seesWallets = context.caller.roles.has("compliance");
    const asked = textOfFilters({ ...filters, ...startText(start) });
    if (!seesWallets && filters.wallet !== null) {
      await options.accessLog.refused(context, methodName, asked, "WALLET_NOT_ALLOWED");
      throw new Failure("WALLET_NOT_ALLOWED", "reports by wallet are for compliance; leave out wallet");
    }
    await options.accessLog.allowed(context, methodName, asked);
    const from = await placeOf(start);
    if (isStopping) throw shuttingDown();

    const ending = new AbortController();
    const { signal } = ending;
    underWay.set(ending, inHead(from));
    const leave = () => ending.abort();
    if (context.signal.aborted) leave();
    context.signal.addEventListener("abort", leave, { once: true });
    const leftMs = context.caller.expiresAtMs - clock.nowMicros() / 1000;
    const timer =
      leftMs < longestTimerMs ? setTimeout(() => ending.abort(tokenExpired()), leftMs) : undefined;
    try {
      yield* subscribe({
        from,
        tail,
        readBatch: (epoch, after) =>
          inTurn(async () => (signal.aborted ? nothingBehind(epoch, after) : readOwn(epoch, after))),
        matches: matcher(filters),
        messageOf: seesWallets ? (item) => item.message : redactedMessage,
        progressMs,
        readEpoch: (epoch) => readEpoch(pool, epoch),
        onPlace: (place) => underWay.set(ending, inHead(place)),
        signal,
      });
    } finally {
      clearTimeout(timer);
      underWay.delete(ending);
    }
    if (signal.reason instanceof Failure) throw signal.reason;
  }

  return {
    rpcs: [serverStream(ReportService.method.streamReports, stream)],
    [Symbol.dispose]() {
      isStopping = true;
      for (const ending of underWay.keys()) ending.abort(shuttingDown());
      tail.close();
    },
  };
}

function shuttingDown(): Failure {
  return new Failure("SHUTTING_DOWN", "the service is stopping; go on with another replica, or later");
}

function tokenExpired(): Failure {
  return new Failure("TOKEN_EXPIRED", "the token has expired; go on with a new one");
}

/** What a reader gets that left before its turn. */
function nothingBehind(epoch: number, after: number): Batch {
  return { epoch, after, to: after, items: [], bytes: 0, isScrubbed: false };
}

/** Where the reader begins, for the access log. */
function startText(start: Start): Record<string, unknown> {
  if (start.kind !== "after") return { from: start.kind };
  return { after: start.place };
}
