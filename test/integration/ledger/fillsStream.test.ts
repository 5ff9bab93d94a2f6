import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorReason } from "../../../gen/ts/polytraders/governance/v1/error_reason_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { openStream } from "./actionStream.ts";
import { action } from "./actions.ts";
import { fill, fillsBySession, historyOf } from "./fillReports.ts";
import { openFillStream } from "./fillStream.ts";

let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

test("each batch is acked with its last offset, in order, and a producer that comes back goes on behind it", async () => {
  const stream = await openFillStream(bot, "resumed");
  expect(stream.lastOffset).toBe(0n);
  stream.send(1, [fill("t1", "resumed"), fill("t2", "resumed")]);
  stream.send(3, [fill("t3", "resumed")]);
  for (const lastOffset of [2n, 3n]) expect(await stream.ack()).toMatchObject({ lastOffset, results: [] });
  await stream.end();
  const again = await openFillStream(bot, "resumed");
  expect(again.lastOffset).toBe(3n);
  await again.end();
});

test("a stream of actions and one of fills with the same name are two", async () => {
  const actions = await openStream(bot, "same name");
  actions.send(1, [action("same_name")]);
  await actions.ack();
  const fills = await openFillStream(bot, "same name");
  expect(fills.lastOffset).toBe(0n);
  fills.send(1, [fill("t", "same name")]);
  expect(await fills.ack()).toMatchObject({ lastOffset: 1n, results: [] });
  actions.send(2, [action("same_name_2")]);
  expect(await actions.ack(), "neither ended the other").toMatchObject({ lastOffset: 2n });
  await fills.end();
  await actions.end();
});

test("bad reports are refused with the path of their field while their neighbours are recorded", async () => {
  await bot.recordUserAction(action("streamed", { sessionId: "streamed", traceId: "streamed" }));
  const stream = await openFillStream(bot, "bad reports");
  const good = (tradeId: string) => fill(tradeId, "streamed", { traceId: "streamed" });
  stream.send(1, [
    good("t1"),
    fill("t2", "streamed", { price: "-1" }),
    { fillId: "", orderId: "o" },
    good("t1"),
    { fillId: "own", status: "DONE" },
    good("t3"),
  ]);
  const { lastOffset, results } = await stream.ack();
  await stream.end();
  expect(lastOffset).toBe(6n);
  expect(results.map(({ offset, eventId, outcome, field }) => [offset, eventId, outcome, field])).toEqual([
    [2n, "t2:streamed", RecordOutcome.UNSPECIFIED, "reports[1].price"],
    [3n, ":o", RecordOutcome.UNSPECIFIED, "reports[2].trade_id"],
    [4n, "t1:streamed", RecordOutcome.DUPLICATE, ""],
    [5n, "own", RecordOutcome.UNSPECIFIED, "reports[4].status"],
  ]);
  expect(results[0]?.reason).toBe(ErrorReason.INVALID_FIELD);
  expect(await fillsBySession(compliance, "streamed")).toEqual({ streamed: ["t1:streamed", "t3:streamed"] });
});

test("what was sent again after a cut is a duplicate, and recorded once", async () => {
  const first = await openFillStream(bot, "cut");
  first.send(1, [fill("t", "cut"), fill("t", "cut", { status: "MINED" })]);
  await first.ack();
  first.cut();
  const second = await openFillStream(bot, "cut");
  second.send(1, [
    fill("t", "cut"),
    fill("t", "cut", { status: "MINED" }),
    fill("t", "cut", { status: "CONFIRMED" }),
  ]);
  expect(await second.ack()).toMatchObject({
    lastOffset: 3n,
    results: [{ outcome: RecordOutcome.DUPLICATE }, { outcome: RecordOutcome.DUPLICATE }],
    offsetDisagreement: { expectedOffset: 3n, receivedOffset: 1n },
  });
  await second.end();
  expect(await historyOf(compliance, "t:cut")).toEqual(["MATCHED", "MINED", "CONFIRMED"]);
});

test("a second stream of a producer ends the first", async () => {
  const first = await openFillStream(bot, "superseded");
  const second = await openFillStream(bot, "superseded");
  expect(await refusalOf(first.ack())).toMatchObject({ code: "Aborted", reason: "STREAM_SUPERSEDED" });
  await second.end();
});

test("a batch without reports ends the stream", async () => {
  const stream = await openFillStream(bot, "empty");
  stream.send(1, []);
  expect(await refusalOf(stream.ack())).toMatchObject({ reason: "INVALID_FIELD", field: "batch.reports" });
});
