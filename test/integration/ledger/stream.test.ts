import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { openStream, type StreamMessage } from "./actionStream.ts";
import { action, otherWallet } from "./actions.ts";
import { holdEvent } from "./heldRow.ts";

let service: TestService;
let bot: LedgerClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
});
afterAll(() => service[Symbol.asyncDispose]());

function actions(prefix: string, from: number, to: number) {
  return Array.from({ length: to - from + 1 }, (_, i) => action(`${prefix}_${from + i}`));
}

/** The recorded events of a prefix in the order of the log, each with the transaction it was recorded in. */
async function recorded(prefix: string): Promise<{ event_id: string; xid: string }[]> {
  return service.database.query(
    "superuser",
    `select event_id, xid::text as xid from ledger.user_action where event_id like $1 order by epoch, xid, ord`,
    [`${prefix}\\_%`],
  );
}

/** What the server says when a producer comes back. */
async function lastOffset(client: LedgerClient, streamId: string): Promise<bigint> {
  const stream = await openStream(client, streamId);
  await stream.end();
  return stream.lastOffset;
}

async function recordedIds(prefix: string): Promise<string[]> {
  return (await recorded(prefix)).map((row) => row.event_id);
}

test("a new producer starts at offset 0, and each batch is acked with its last offset, in order", async () => {
  const stream = await openStream(bot, "fresh");
  expect(stream.lastOffset).toBe(0n);
  stream.send(1, actions("fresh", 1, 3));
  stream.send(4, actions("fresh", 4, 4));
  stream.send(5, actions("fresh", 5, 6));
  for (const offset of [3n, 4n, 6n]) {
    const ack = await stream.ack();
    expect(ack).toMatchObject({ lastOffset: offset, results: [] });
    expect(ack.offsetDisagreement).toBeUndefined();
  }
  await stream.end();
  expect(await recordedIds("fresh")).toEqual(actions("fresh", 1, 6).map((sent) => sent.eventId));
});

test("a producer that comes back is told its last durable offset, each of its streams its own", async () => {
  const first = await openStream(bot, "resumed");
  first.send(1, actions("resumed", 1, 10));
  await first.ack();
  await first.end();

  const otherBot = await ledgerAs(service, "bot", { subject: "another-bot" });
  expect(await lastOffset(bot, "resumed")).toBe(10n);
  expect(await lastOffset(bot, "another stream")).toBe(0n);
  expect(await lastOffset(otherBot, "resumed")).toBe(0n);
});

test("bad events are refused with the path of their field while their neighbours are stored", async () => {
  const stream = await openStream(bot, "bad events");
  const deep = `${'{"a":'.repeat(40)}1${"}".repeat(40)}`;
  stream.send(1, [
    action("bad_1"),
    action("bad_2", { wallet: "0x12" }),
    action("", {}),
    action("bad_4", { actionType: "lower" }),
    action("bad_5", { params: { n: 1 } }),
    action("bad_6", { sessionId: "nul \0" }),
    action("bad_7", { paramsJson: '{"a":1,"a":2}' }),
    action("bad_8", { paramsJson: deep }),
    action("bad_9", { traceId: "t".repeat(129) }),
    action("bad_10", { sessionSeq: -1n }),
    action("bad_11", { occurredAt: { seconds: -1n, nanos: 0 } }),
    action("bad_12"),
  ]);
  const { lastOffset: acked, results } = await stream.ack();
  await stream.end();
  expect(acked).toBe(12n);
  expect(results.map(({ offset, field }) => [offset, field])).toEqual([
    [2n, "actions[1].wallet"],
    [3n, "actions[2].event_id"],
    [4n, "actions[3].action_type"],
    [6n, "actions[5].session_id"],
    [7n, "actions[6].params_json"],
    [8n, "actions[7].params_json"],
    [9n, "actions[8].trace_id"],
    [10n, "actions[9].session_seq"],
    [11n, "actions[10].occurred_at"],
  ]);
  for (const result of results) {
    expect(result).toMatchObject({ outcome: RecordOutcome.UNSPECIFIED, reason: ErrorReason.INVALID_FIELD });
    expect(result.message).toMatch(/^INVALID_FIELD: actions\[/);
  }
  expect(await recordedIds("bad")).toEqual(["bad_1", "bad_5", "bad_12"]);
  expect(await lastOffset(bot, "bad events")).toBe(12n);
});

test("a refused event is named by as much of its id as fits 128 bytes", async () => {
  const stream = await openStream(bot, "long ids");
  stream.send(1, [action("é".repeat(100)), action(`x${"😀".repeat(50)}`)]);
  const { results } = await stream.ack();
  await stream.end();
  expect(results.map((result) => result.eventId)).toEqual(["é".repeat(64), `x${"😀".repeat(31)}`]);
});

test("inside one batch a repeated event is a duplicate and a changed one a conflict", async () => {
  const stream = await openStream(bot, "repeats");
  stream.send(1, [
    action("repeats_1", { params: { n: 1 } }),
    action("repeats_2"),
    action("repeats_1", { paramsJson: '{"n":1.0}' }),
    action("repeats_2", { wallet: otherWallet }),
    action("repeats_3"),
    action("repeats_1", { params: { n: 1 } }),
  ]);
  const { results, lastOffset: acked } = await stream.ack();
  await stream.end();
  expect(acked).toBe(6n);
  expect(results).toMatchObject([
    { offset: 3n, eventId: "repeats_1", outcome: RecordOutcome.DUPLICATE, reason: ErrorReason.UNSPECIFIED },
    {
      offset: 4n,
      eventId: "repeats_2",
      outcome: RecordOutcome.UNSPECIFIED,
      reason: ErrorReason.EVENT_ID_CONFLICT,
    },
    { offset: 6n, eventId: "repeats_1", outcome: RecordOutcome.DUPLICATE, reason: ErrorReason.UNSPECIFIED },
  ]);
  expect(await recordedIds("repeats")).toEqual(["repeats_1", "repeats_2", "repeats_3"]);
});

test("an offset that was not expected is reported, and the batch is taken all the same", async () => {
  const stream = await openStream(bot, "gaps");
  stream.send(5, actions("gaps", 5, 6));
  expect(await stream.ack()).toMatchObject({
    lastOffset: 6n,
    results: [],
    offsetDisagreement: { expectedOffset: 1n, receivedOffset: 5n },
  });
  stream.send(7, actions("gaps", 7, 7));
  expect((await stream.ack()).offsetDisagreement).toBeUndefined();
  stream.send(6, actions("gaps", 6, 8));
  expect(await stream.ack()).toMatchObject({
    lastOffset: 8n,
    results: [
      { offset: 6n, outcome: RecordOutcome.DUPLICATE },
      { offset: 7n, outcome: RecordOutcome.DUPLICATE },
    ],
    offsetDisagreement: { expectedOffset: 8n, receivedOffset: 6n },
  });
  await stream.end();
  expect(await recordedIds("gaps")).toEqual(["gaps_5", "gaps_6", "gaps_7", "gaps_8"]);
});

test.each<[string, StreamMessage, string]>([
  [
    "an offset of 0",
    { case: "batch", value: { firstOffset: 0n, actions: [action("x")] } },
    "batch.first_offset",
  ],
  [
    "an offset whose successors have no number",
    { case: "batch", value: { firstOffset: 2n ** 63n - 1n, actions: [action("x"), action("y")] } },
    "batch.first_offset",
  ],
  ["no actions", { case: "batch", value: { firstOffset: 2n, actions: [] } }, "batch.actions"],
  [
    "1,001 actions",
    { case: "batch", value: { firstOffset: 2n, actions: actions("many", 1, 1001) } },
    "batch.actions",
  ],
  ["a second open", { case: "open", value: { streamId: "again" } }, "batch"],
  ["nothing in it", undefined, "batch"],
])(
  "a message with %s ends the stream, after the acks of what came before it",
  async (what, message, field) => {
    const stream = await openStream(bot, `bad message: ${what}`);
    stream.send(1, [action(`before ${what}`)]);
    stream.sendMessage(message);
    expect((await stream.ack()).lastOffset).toBe(1n);
    expect(await refusalOf(stream.ack())).toMatchObject({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      field,
    });
  },
);

test("a stream that does not open first, or with a bad name, is refused with the field", async () => {
  expect(await refusalOf(openStream(bot, ""))).toMatchObject({
    reason: "INVALID_FIELD",
    field: "open.stream_id",
  });
  expect(await refusalOf(openStream(bot, "s".repeat(129)))).toMatchObject({ field: "open.stream_id" });
});

test("a second stream of a producer ends the first, which loses nothing that was acked", async () => {
  const first = await openStream(bot, "superseded");
  first.send(1, actions("superseded", 1, 5));
  await first.ack();
  const second = await openStream(bot, "superseded");
  expect(await refusalOf(first.ack())).toMatchObject({ code: "Aborted", reason: "STREAM_SUPERSEDED" });
  expect(second.lastOffset).toBe(5n);
  second.send(6, actions("superseded", 6, 7));
  expect((await second.ack()).lastOffset).toBe(7n);
  await second.end();
  expect(await recordedIds("superseded")).toHaveLength(7);
});

test("streams of a producer that are superseded while they are opened are told so too", async () => {
  const streams = await Promise.all(Array.from({ length: 5 }, () => openStream(bot, "at one moment")));
  const last = streams.pop();
  for (const stream of streams) {
    expect(await refusalOf(stream.ack())).toMatchObject({ code: "Aborted", reason: "STREAM_SUPERSEDED" });
  }
  await last?.end();
});

test("streams of other names or other subjects do not end each other", async () => {
  const otherBot = await ledgerAs(service, "bot", { subject: "another-bot" });
  const streams = await Promise.all([
    openStream(bot, "side by side"),
    openStream(bot, "side by side, too"),
    openStream(otherBot, "side by side"),
  ]);
  for (const [index, stream] of streams.entries()) {
    stream.send(1, [action(`sides_${index}`)]);
    expect((await stream.ack()).lastOffset).toBe(1n);
    await stream.end();
  }
});

test("batches are read while others are recorded, in order, and never more than eight ahead of the acks", async () => {
  const stream = await openStream(bot, "under way");
  {
    await using held = await holdEvent(service.database, "under_1");
    stream.send(1, [action("under_1")]);
    await held.waitedFor();
    for (let offset = 2; offset <= 30; offset++) stream.send(offset, [action(`under_${offset}`)]);
    await sleep(150); // Time in which a server that read on would have read all of them.
  }
  for (let offset = 1n; offset <= 30n; offset++) expect((await stream.ack()).lastOffset).toBe(offset);
  await stream.end();

  const rows = await recorded("under");
  expect(rows.map((row) => row.event_id)).toEqual(actions("under", 1, 30).map((sent) => sent.eventId));
  const largest = Math.max(...[...Map.groupBy(rows, (row) => row.xid).values()].map((group) => group.length));
  expect(largest, "those that waited were recorded together").toBeGreaterThan(1);
  expect(largest, "and no more than eight could wait").toBeLessThanOrEqual(8);
});
