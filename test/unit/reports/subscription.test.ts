import { create } from "@bufbuild/protobuf";
import { pino } from "pino";
import { expect, test } from "vitest";
import { StreamReportsResponseSchema } from "../../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import type { Batch, Item } from "../../../src/reports/item.ts";
import { allParts } from "../../../src/reports/place.ts";
import { subscribe } from "../../../src/reports/subscription.ts";
import { createTail } from "../../../src/reports/tail.ts";
import { Failure } from "../../../src/server/failure.ts";

/** A log of so many records, each told with the rendering it had when it was read. */
function fakeLog() {
  const log = { length: 0, rendering: "raw", reads: 0, scrubAt: 0, isAway: false };
  const item = (position: number): Item => ({
    position,
    part: 0,
    topic: "polytraders.reports.settlement",
    filtered: { eventType: log.rendering, botKeys: [], wallet: "" },
    message: create(StreamReportsResponseSchema, { at: { epoch: 1n, position: BigInt(position) } }),
  });
  const readBatch = async (epoch: number, after: number): Promise<Batch> => {
    log.reads++;
    if (log.isAway) throw new Failure("STORE_UNAVAILABLE", "away");
    const to = Math.min(log.length, after + 3);
    const items = Array.from({ length: Math.max(0, to - after) }, (_, i) => item(after + i + 1));
    const isScrubbed = after < log.scrubAt && log.scrubAt <= to;
    return { epoch, after, to: Math.max(after, to), items, bytes: 1, isScrubbed };
  };
  const tail = createTail({
    readBatch,
    nudge: () => tail.onHead({ epoch: 1, position: log.length, horizon: "0" }),
    pollMs: 5,
    ring: { maxBatches: 4, maxBytes: 1000 },
    log: pino({ level: "silent" }),
  });
  const told: string[] = [];
  const follow = (after: number, signal: AbortSignal) =>
    subscribe({
      from: { epoch: 1, position: after, part: allParts },
      tail,
      readBatch,
      matches: () => true,
      messageOf(one) {
        told.push(`${one.position} ${one.filtered?.eventType}`);
        return one.message;
      },
      progressMs: undefined,
      readEpoch: async (epoch) => ({ epoch, last: log.length, next: undefined }),
      onPlace: () => undefined,
      signal,
    });
  return { log, follow, told, tail };
}

test("what was rendered before a scrub and not sent yet is read again", async () => {
  const { log, follow, told } = fakeLog();
  log.length = 3;
  const leaving = new AbortController();
  const messages = follow(0, leaving.signal);
  await messages.next();
  // The scrub, while its reader holds records 2 and 3; the tail comes past its receipt.
  const other = follow(3, leaving.signal);
  Object.assign(log, { length: 4, scrubAt: 4, rendering: "scrubbed" });
  await other.next();
  for (let i = 0; i < 3; i++) await messages.next();
  expect(told.filter((line) => !line.startsWith("4"))).toEqual(["1 raw", "2 scrubbed", "3 scrubbed"]);
  leaving.abort();
});

test("the store away: a reader that lags asks again by itself, though nothing new comes", async () => {
  const { log, follow, told } = fakeLog();
  Object.assign(log, { length: 5, isAway: true });
  const leaving = new AbortController();
  const messages = follow(0, leaving.signal);
  const first = messages.next();
  while (log.reads < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  log.isAway = false;
  await first;
  for (let i = 0; i < 4; i++) await messages.next();
  expect(told).toHaveLength(5);
  leaving.abort();
});

test("a reader that leaves is let go at once, though nothing ever comes", async () => {
  const { follow, tail } = fakeLog();
  const leaving = new AbortController();
  const waiting = follow(0, leaving.signal).next();
  while (tail.at() === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  leaving.abort();
  expect((await waiting).done).toBe(true);
  expect(tail.at(), "and nobody reads any more").toBeUndefined();
});

test("the last reader may leave while the tail begins: the next one finds it beginning anew", async () => {
  const { log, tail } = fakeLog();
  log.length = 3;
  tail.join()[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 5)); // What began for it comes to its end.
  using _reader = tail.join();
  await expect.poll(() => tail.at()).toEqual({ epoch: 1, position: 3 });
});
