// Does the load generator see every failure? Runs it against a server that fails in known ways:
//   node bench/load/check.ts
import assert from "node:assert/strict";
import { RecordOutcome } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { method } from "../methods.ts";
import { batchTemplate, openTemplate, recordUserActionTemplate, wallets } from "../payload.ts";
import { refusal, startFailingServer } from "./failingServer.ts";
import type { LoadResult } from "./job.ts";
import { load } from "./load.ts";

const server = await startFailingServer();
const { seen } = server;
const shared = {
  host: "127.0.0.1",
  port: server.port,
  headers: {},
  connections: 3,
  warmupMs: 0,
  durationMs: 1_000,
};

function unary(): Promise<LoadResult> {
  return load({
    kind: "unary",
    ...shared,
    path: method.recordUserAction,
    inFlight: 20,
    request: recordUserActionTemplate(),
    expect: { field: 1, value: RecordOutcome.RECORDED },
  });
}

function stream(): Promise<LoadResult> {
  return load({
    kind: "stream",
    ...shared,
    path: method.streamUserActions,
    batchesInFlight: 4,
    eventsPerBatch: 100,
    open: openTemplate(),
    ...batchTemplate(100),
  });
}

/** What was in flight when the time was over was seen by the server and is not counted. */
function assertCounted(actual: number, expected: number, inFlight: number): void {
  assert.ok(actual <= expected && actual >= expected - inFlight, `${actual} counted of ${expected}`);
}

function assertContent(): void {
  assert.equal(seen.eventIds.size, seen.events, "no id twice");
  assert.ok(seen.wallets.size > wallets * 0.9 && seen.wallets.size <= wallets);
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/;
  for (const eventId of seen.eventIds) assert.match(eventId, uuid);
  for (const wallet of seen.wallets) assert.match(wallet, /^0x[0-9a-f]{40}$/);
}

server.behave("records all");
const good = await unary();
assert.deepEqual([good.failures, good.firstFailure], [0, undefined]);
assertCounted(good.count, seen.events, 20);
assertContent();
console.log(`unary: ${good.count} of ${seen.events} calls counted, none failed`);

server.behave("refuses every fifth call");
const refused = await unary();
assert.equal(refused.failures, Math.floor(seen.events / 5));
assert.equal(refused.firstFailure, `grpc-status 3 ${refusal}`);
console.log(`unary: ${refused.failures} of ${seen.events} refused, and all seen`);

server.behave("buffers every fifth");
const buffered = await unary();
assert.equal(buffered.failures, Math.floor(seen.events / 5));
assert.equal(buffered.firstFailure, "field 1 is 3, not 1");
console.log(`unary: ${buffered.failures} of ${seen.events} with another outcome, and all seen`);

server.behave("records all");
const streamed = await stream();
assert.deepEqual([streamed.failures, streamed.firstFailure], [0, undefined]);
assertCounted(streamed.count, seen.events, 3 * 4 * 100);
assertContent();
console.log(`stream: ${streamed.count} of ${seen.events} events counted, none failed`);

server.behave("buffers every fifth");
const streamBuffered = await stream();
assert.equal(streamBuffered.failures, seen.events / 5);
console.log(`stream: ${streamBuffered.failures} of ${seen.events} events with another outcome, and all seen`);

server.behave("ends the stream");
const ended = await stream();
assert.equal(ended.count, 0);
assert.equal(ended.firstFailure, "the stream ended with grpc-status 10 STREAM_SUPERSEDED");
console.log(`stream: ${ended.firstFailure}, and seen`);

server.behave("goes away after 1,000");
const gone = await unary();
assert.ok(gone.failures > 0 && gone.count < 1_000);
console.log(`unary: ${gone.failures} calls on connections that broke, and seen: ${gone.firstFailure}`);
await assert.rejects(unary(), /ended with exit code 1/);
console.log("unary: no server, and the load generator fails");
