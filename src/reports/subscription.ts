import { setTimeout as sleep } from "node:timers/promises";
import type { StreamReportsResponse } from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { Failure } from "../server/failure.ts";
import { type Epoch, epochChanged } from "./epochs.ts";
import type { Batch, Item } from "./item.ts";
import { allParts, isBehind, type ReportPlace, readFrom } from "./place.ts";
import { positionOf, type ReadBatch } from "./readBatch.ts";
import type { Tail } from "./tail.ts";

const restAfterErrorMs = 500;

/**
 * One reader's way through the log: by itself as long as it lags, with everybody else from the tail's last
 * batches once it is there. It holds one batch at a time, and takes the next one when its caller has taken all of
 * this. At the end of an epoch it goes on with the next. Ends with the signal alone, or with LOG_EPOCH_CHANGED where
 * it has what this database has not. The database away: it waits.
 */
export async function* subscribe(options: {
  readonly from: ReportPlace;
  readonly tail: Tail;
  /** For a reader that lags. */
  readonly readBatch: ReadBatch;
  readonly matches: (item: Item) => boolean;
  readonly messageOf: (item: Item) => StreamReportsResponse;
  /** How long nothing is sent at most; undefined: for ever. */
  readonly progressMs: number | undefined;
  /** What this database has of an epoch. */
  readonly readEpoch: (epoch: number) => Promise<Epoch>;
  /** Called with how far it has come. */
  readonly onPlace: (place: ReportPlace) => void;
  readonly signal: AbortSignal;
}): AsyncGenerator<StreamReportsResponse> {
  const { tail, signal, progressMs } = options;
  using _joined = tail.join();
  let place = options.from;
  let sentMs = Number.NEGATIVE_INFINITY;

  function progress(): StreamReportsResponse | undefined {
    if (progressMs === undefined || performance.now() - sentMs < progressMs) return undefined;
    sentMs = performance.now();
    return {
      $typeName: "polytraders.governance.v1.StreamReportsResponse",
      at: positionOf(place),
      report: none,
    };
  }

  /** The batch behind the place, from the tail or the database; undefined when there is none yet. */
  async function next(): Promise<Batch | undefined> {
    const position = readFrom(place);
    const at = tail.at();
    const isLive = at?.epoch === place.epoch;
    const live = isLive ? tail.behind(position) : undefined;
    if (live !== undefined) return live;
    if (isLive && position >= at.position) return undefined;
    const batch = await options.readBatch(place.epoch, position);
    if (batch.to > position) return batch;
    if (at === undefined || isLive) return undefined;
    const epoch = await options.readEpoch(place.epoch);
    if (epoch.epoch !== place.epoch || place.position > epoch.last) throw epochChanged(epoch);
    if (epoch.next === undefined) return undefined;
    place = { epoch: epoch.next, position: 0, part: allParts };
    return next();
  }

  while (!signal.aborted) {
    const { scrubs, version } = { scrubs: tail.scrubs(), version: tail.version() };
    let batch: Batch | undefined;
    let isAway = false;
    try {
      batch = await next();
    } catch (cause) {
      if (!(cause instanceof Failure) || cause.reason !== "STORE_UNAVAILABLE") throw cause;
      // Everybody's reader fails at this moment: ending them all would only bring them back at once.
      isAway = true;
      await sleep(restAfterErrorMs, undefined, { signal }).catch(() => undefined);
    }
    for (const item of batch?.items ?? []) {
      // Rendered before a wallet was scrubbed: the rest is read again (R11).
      if (tail.scrubs() !== scrubs || signal.aborted) break;
      if (!isBehind(item, place)) continue;
      place = { epoch: place.epoch, position: item.position, part: item.part };
      if (!options.matches(item)) continue;
      sentMs = performance.now();
      yield options.messageOf(item);
    }
    if (batch !== undefined && tail.scrubs() === scrubs && batch.to >= place.position) {
      place = { epoch: place.epoch, position: batch.to, part: allParts };
      options.onPlace(place);
    }
    const still = progress();
    if (still !== undefined) yield still;
    if (batch === undefined && !isAway) await news(tail, version, signal, progressMs);
  }
}

const none = { case: undefined } as const;

/** Waits for something new, for progressMs at most. */
async function news(
  tail: Tail,
  version: number,
  signal: AbortSignal,
  progressMs: number | undefined,
): Promise<void> {
  if (progressMs === undefined) return tail.changed(version, signal);
  const enough = new AbortController();
  const timer = setTimeout(() => enough.abort(), progressMs);
  const leave = () => enough.abort();
  signal.addEventListener("abort", leave);
  await tail.changed(version, enough.signal);
  signal.removeEventListener("abort", leave);
  clearTimeout(timer);
}
