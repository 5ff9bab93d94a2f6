import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import {
  connectRaw,
  errorCode,
  flag,
  frame,
  frameType,
  grpcHeaders,
  ping,
  reset,
  settings,
} from "../../support/rawHttp2.ts";
import { type Abused, type Attack, megabyte, startAbused } from "./abuse.ts";
import { pathOf } from "./raw.ts";

let service: Abused;
beforeAll(async () => {
  service = await startAbused();
});
afterAll(() => service[Symbol.asyncDispose]());

type Cuts = { count: number; readonly codes: Set<number> };
let addresses = 1;

/**
 * Sends `more` for as long as the connection lasts, on two at a time, and comes back at once when it is cut off.
 * Each flood has an address of its own: one that was cut off often has to wait.
 */
function flood(more: (sent: number) => Uint8Array, cuts: Cuts, reads = true): Attack {
  const from = `127.0.0.${++addresses}`;
  return async (signal, inPlace) => {
    inPlace();
    const one = async () => {
      while (!signal.aborted) {
        const connection = await connectRaw(service.grpcPort, { from, reads });
        const end = () => connection.socket.destroy();
        signal.addEventListener("abort", end, { once: true });
        let sent = 0;
        while (await connection.send(more(sent++))) await new Promise(setImmediate);
        await connection.closed;
        signal.removeEventListener("abort", end);
        if (signal.aborted) return;
        cuts.count++;
        const code = connection.goaway();
        if (code !== undefined) cuts.codes.add(code);
      }
    };
    await Promise.all([one(), one()]);
  };
}

function repeated(bytes: Uint8Array, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}

/** First these frames, then the others again and again. */
function firstThen(first: Uint8Array, then: Uint8Array, times: number): (sent: number) => Uint8Array {
  const all = repeated(then, times);
  return (sent) => (sent === 0 ? first : all);
}

const nothing = Buffer.alloc(0);
const callHeaders = grpcHeaders(pathOf(UserActivityLedgerService.method.recordUserAction), {
  authorization: "Bearer nobody",
});
const begunCall = frame(frameType.headers, flag.endHeaders, 1, callHeaders);
const begunHeaders = frame(frameType.headers, 0, 1, callHeaders);
const priority = frame(frameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 16]));
const windowUpdate = frame(frameType.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1]));

/** Calls that are cancelled as soon as they are made. */
function opensAndResets(sent: number): Buffer {
  return Buffer.concat(
    Array.from({ length: 100 }, (_, i) => {
      const id = 2 * (100 * sent + i) + 1;
      return Buffer.concat([frame(frameType.headers, flag.endHeaders, id, callHeaders), reset(id)]);
    }),
  );
}

const floods: readonly (readonly [string, (sent: number) => Uint8Array])[] = [
  ["streams that are opened and reset", opensAndResets],
  ["PING", firstThen(nothing, ping, 1000)],
  ["SETTINGS", firstThen(nothing, settings([4, 65_535]), 1000)],
  ["CONTINUATION", firstThen(begunHeaders, frame(frameType.continuation, 0, 1, Buffer.alloc(1000)), 10)],
  ["PRIORITY", firstThen(nothing, priority, 1000)],
  ["WINDOW_UPDATE", firstThen(nothing, windowUpdate, 1000)],
  ["empty DATA", firstThen(begunCall, frame(frameType.data, 0, 1), 1000)],
  ["DATA of one byte", firstThen(begunCall, frame(frameType.data, 0, 1, Buffer.alloc(1)), 100)],
  ["frames that nobody knows", firstThen(nothing, frame(0x77, 0, 0, Buffer.alloc(8)), 1000)],
];

/** Of two that come back at once, in three turns; who is not held back is cut off hundreds of times a second. */
const mostCuts = 120;

describe("a flood is cut off and held back, and the neighbours do not notice:", { timeout: 120_000 }, () => {
  test.each(floods)("%s", async (_, more) => {
    const cuts: Cuts = { count: 0, codes: new Set() };
    await service.withstand(flood(more, cuts), 64 * megabyte);
    expect(cuts.count).toBeGreaterThan(2);
    expect(cuts.count).toBeLessThan(mostCuts);
    // node:http2 says INTERNAL_ERROR of what it counts itself.
    for (const code of cuts.codes) expect([errorCode.internal, errorCode.enhanceYourCalm]).toContain(code);
  });

  test("PING whose answers are not read", async () => {
    const cuts: Cuts = { count: 0, codes: new Set() };
    await service.withstand(flood(firstThen(nothing, ping, 1000), cuts, false), 64 * megabyte);
    expect(cuts.count).toBeGreaterThan(2);
    expect(cuts.count).toBeLessThan(mostCuts);
  });
});
