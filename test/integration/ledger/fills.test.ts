import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  LinkState,
  RecordOutcome,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
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

/** Records an action of a session with the session's name as its trace. */
function act(eventId: string, sessionId: string) {
  return bot.recordUserAction(action(eventId, { sessionId, traceId: sessionId }));
}

test("a fill that comes after its action is answered with it, and linked", async () => {
  await act("after", "after");
  const answer = await bot.recordExecutionReport(fill("t", "after", { traceId: "after" }));
  expect(answer).toMatchObject({
    outcome: RecordOutcome.RECORDED,
    linkState: LinkState.LINKED,
    linkedEventIds: ["after"],
    fillId: "t:after",
  });
  expect(await fillsBySession(compliance, "after")).toEqual({ after: ["t:after"] });
});

test("a fill that comes before its action is pending, and linked when the action arrives", async () => {
  const answer = await bot.recordExecutionReport(fill("t", "before", { traceId: "before" }));
  expect(answer).toMatchObject({ linkState: LinkState.PENDING, linkedEventIds: [] });
  await act("before", "before");
  expect(await fillsBySession(compliance, "before")).toEqual({ before: ["t:before"] });
});

test("an action without a trace, and a fill without one, are linked to nothing", async () => {
  await bot.recordUserAction(action("untraced", { sessionId: "untraced" }));
  const answer = await bot.recordExecutionReport(fill("t", "untraced"));
  expect(answer).toMatchObject({ linkState: LinkState.PENDING });
  expect(await fillsBySession(compliance, "untraced")).toEqual({ untraced: [] });
});

test("the same report again is a duplicate with the same answer, and linked once", async () => {
  await act("again", "again");
  const report = fill("t", "again", { traceId: "again", rawJson: '{"a":1.0,"b":[]}' });
  const first = await bot.recordExecutionReport(report);
  const again = await bot.recordExecutionReport({ ...report, rawJson: '{ "b" : [], "a" : 1 }' });
  expect(first.outcome).toBe(RecordOutcome.RECORDED);
  expect(again).toEqual({ ...first, outcome: RecordOutcome.DUPLICATE });
  expect(await fillsBySession(compliance, "again")).toEqual({ again: ["t:again"] });
  expect(await historyOf(compliance, "t:again")).toEqual(["MATCHED"]);
});

test("every action of a trace is linked to its fill, those to come as well", async () => {
  await act("several_1", "several");
  await act("several_2", "several");
  const answer = await bot.recordExecutionReport(fill("t", "several", { traceId: "several" }));
  expect(answer.linkedEventIds).toEqual(["several_1", "several_2"]);
  await act("several_3", "several");
  const linked = ["t:several"];
  expect(await fillsBySession(compliance, "several")).toEqual({
    several_1: linked,
    several_2: linked,
    several_3: linked,
  });
});

test("two orders of ours in one trade are two fills, listed oldest link first", async () => {
  await act("two", "two");
  for (const order of ["two_b", "two_a"]) {
    await bot.recordExecutionReport(fill("t", order, { traceId: "two" }));
    await compliance.listFills({ orderId: order }); // The one before is linked by then.
  }
  const { actions } = await compliance.listUserActions({ sessionId: "two" });
  expect(actions[0]?.report?.fillIds).toEqual(["t:two_b", "t:two_a"]);
});

describe("a trace that only another report of the order names", () => {
  test("links the fills that came before it", async () => {
    await act("later", "later");
    const first = await bot.recordExecutionReport(fill("t1", "later"));
    expect(first).toMatchObject({ linkState: LinkState.PENDING });
    await bot.recordExecutionReport(fill("t2", "later", { traceId: "later" }));
    expect(await fillsBySession(compliance, "later")).toEqual({ later: ["t1:later", "t2:later"] });
  });

  test("links the fills that come after it, and their answers say so", async () => {
    await act("earlier", "earlier");
    await bot.recordExecutionReport(fill("t1", "earlier", { traceId: "earlier" }));
    const second = await bot.recordExecutionReport(fill("t2", "earlier"));
    expect(second).toMatchObject({ linkState: LinkState.LINKED, linkedEventIds: ["earlier"] });
    expect(await fillsBySession(compliance, "earlier")).toEqual({ earlier: ["t1:earlier", "t2:earlier"] });
  });
});

test("an order that has had sixteen traces passes no more on, and a fill keeps those of its own reports", async () => {
  const traced = (i: number) => ({ sessionId: "mixed", traceId: `mixed_${i}` });
  await bot.recordExecutionReport(fill("t0", "mixed", { fillId: "mixed_own" }));
  for (let i = 1; i <= 16; i++) await bot.recordExecutionReport(fill(`t${i}`, "mixed", traced(i)));
  await bot.recordExecutionReport(fill("t0", "mixed", traced(17)));
  await bot.recordUserAction(action("mixed_16", traced(16)));
  await bot.recordUserAction(action("mixed_17", traced(17)));
  const fills = await fillsBySession(compliance, "mixed");
  expect(fills.mixed_16).toHaveLength(17);
  expect(fills.mixed_17).toEqual(["mixed_own"]);
});

test("a later status without a trace is answered as linked by the fill's first report", async () => {
  await act("status", "status");
  await bot.recordExecutionReport({ fillId: "status_f", traceId: "status" });
  const mined = await bot.recordExecutionReport({ fillId: "status_f", status: "MINED" });
  expect(mined).toMatchObject({ linkState: LinkState.LINKED, linkedEventIds: ["status"] });
  expect(await fillsBySession(compliance, "status")).toEqual({ status: ["status_f"] });
});

test("the statuses of a fill are its history, with or without their prefix", async () => {
  const statuses = ["TRADE_STATUS_MATCHED", "RETRYING", "TRADE_STATUS_MINED", "CONFIRMED"];
  for (const status of statuses) {
    const { outcome } = await bot.recordExecutionReport(fill("t", "history", { status }));
    expect(outcome).toBe(RecordOutcome.RECORDED);
  }
  for (const status of ["MATCHED", "", "TRADE_STATUS_CONFIRMED"]) {
    const { outcome } = await bot.recordExecutionReport(fill("t", "history", { status }));
    expect(outcome, status).toBe(RecordOutcome.DUPLICATE);
  }
  expect(await historyOf(compliance, "t:history")).toEqual(["MATCHED", "RETRYING", "MINED", "CONFIRMED"]);
});

describe("a fill with an id of its own and a trade and an order is one fill", () => {
  test("when it was linked by trade and order before its id was known", async () => {
    await act("alias_1", "alias_1");
    await bot.recordExecutionReport(fill("t", "alias_1", { traceId: "alias_1" }));
    expect(await fillsBySession(compliance, "alias_1")).toEqual({ alias_1: ["t:alias_1"] });
    await bot.recordExecutionReport(
      fill("t", "alias_1", { fillId: "own_1", status: "MINED", traceId: "alias_1" }),
    );
    expect(await fillsBySession(compliance, "alias_1")).toEqual({ alias_1: ["own_1"] });
    expect(await linksOf("alias_1"), "not linked again under its other name").toBe(1);
    for (const name of ["own_1", "t:alias_1"]) {
      expect(await historyOf(compliance, name)).toEqual(["MATCHED", "MINED"]);
    }
  });

  test("when its id was known before it came by trade and order", async () => {
    await act("alias_2", "alias_2");
    await bot.recordExecutionReport(fill("t", "alias_2", { fillId: "own_2", traceId: "alias_2" }));
    const mined = await bot.recordExecutionReport(fill("t", "alias_2", { status: "MINED" }));
    expect(mined).toMatchObject({ linkState: LinkState.LINKED, fillId: "t:alias_2" });
    expect(await fillsBySession(compliance, "alias_2")).toEqual({ alias_2: ["own_2"] });
    expect(await linksOf("alias_2")).toBe(1);
    const { fills } = await compliance.listFills({ fillId: "t:alias_2" });
    expect(fills.map((entry) => [entry.fillId, entry.linkedEventIds])).toEqual([
      ["own_2", ["alias_2"]],
      ["own_2", ["alias_2"]],
    ]);
  });

  test("when the trace comes with the name that has none", async () => {
    await act("alias_3", "alias_3");
    await bot.recordExecutionReport(fill("t", "alias_3", { fillId: "own_3" }));
    await bot.recordExecutionReport(fill("t", "alias_3", { traceId: "alias_3" }));
    expect(await fillsBySession(compliance, "alias_3")).toEqual({ alias_3: ["own_3"] });
  });

  test("and a colon in a trade's id does not make two fills one", async () => {
    const first = await bot.recordExecutionReport(fill("a:b", "c"));
    const second = await bot.recordExecutionReport(fill("a", "b:c"));
    expect([first.fillId, second.fillId]).toEqual(["a%3Ab:c", "a:b:c"]);
  });
});

async function linksOf(eventId: string): Promise<number> {
  const rows = await service.database.query("superuser", "select from ledger.fill_link where event_id = $1", [
    eventId,
  ]);
  return rows.length;
}

test("the answer to a repeated action has its fills", async () => {
  await act("repeated", "repeated");
  await bot.recordExecutionReport(fill("t", "repeated", { traceId: "repeated" }));
  await fillsBySession(compliance, "repeated");
  const { outcome, report } = await act("repeated", "repeated");
  expect(outcome).toBe(RecordOutcome.DUPLICATE);
  expect(report?.fillIds).toEqual(["t:repeated"]);
});

test.each<[string, Parameters<typeof fill>[2], string]>([
  ["nothing that names the fill", { tradeId: "", orderId: "" }, "fill_id"],
  ["a trade without an order", { orderId: "" }, "order_id"],
  ["an order without a trade", { tradeId: "" }, "trade_id"],
  ["an unknown status", { status: "TRADE_STATUS_SETTLED" }, "status"],
  ["a double for an amount", { size: "1e3" }, "size"],
  ["a wallet that is none", { wallet: "0x12" }, "wallet"],
])("a report with %s is refused, and nothing is recorded", async (_, more, field) => {
  const before = await service.database.query("superuser", "select from ledger.fill_report");
  expect(await refusalOf(bot.recordExecutionReport(fill("t", "refused", more)))).toMatchObject({
    code: "InvalidArgument",
    reason: "INVALID_FIELD",
    field,
  });
  expect(await service.database.query("superuser", "select from ledger.fill_report")).toHaveLength(
    before.length,
  );
});

test("an action with thousands of fills shows 1,000 of them in a list and all in an export", async () => {
  await act("hot", "hot");
  const stream = await openFillStream(bot, "hot");
  for (let batch = 0; batch < 3; batch++) {
    const fills = Array.from({ length: 1000 }, (_, i) => fill(`${batch}_${i}`, "hot", { traceId: "hot" }));
    stream.send(batch * 1000 + 1, fills);
  }
  for (let batch = 0; batch < 3; batch++) expect((await stream.ack()).results).toEqual([]);
  await stream.end();
  const { actions } = await compliance.listUserActions({ sessionId: "hot" });
  expect(actions[0]?.report?.fillIds).toHaveLength(1000);
  const { lines } = await readExport(compliance.exportUserActions({ sessionId: "hot" }));
  expect(new Set(JSON.parse(lines[0] ?? "").fill_ids).size).toBe(3000);
});
