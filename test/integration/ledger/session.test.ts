import { afterAll, beforeAll, expect, test } from "vitest";
import type { SessionEntry } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action, otherWallet, wallet } from "./actions.ts";

let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

/** All pages of a session, from its beginning. */
async function storyOf(sessionId: string, pageSize = 0): Promise<SessionEntry[]> {
  const entries: SessionEntry[] = [];
  let pageToken = "";
  do {
    const page = await compliance.listSessionActivity({ sessionId, pageSize, pageToken });
    if (pageSize > 0) expect(page.entries.length).toBeLessThanOrEqual(pageSize);
    entries.push(...page.entries);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return entries;
}

/** What happened, shortly: an action's event id, or a fill's trade and status. */
function brief({ entry }: SessionEntry): string {
  if (entry.case === "action") return entry.value.report?.eventId ?? "";
  if (entry.case === "fill") return `${entry.value.report?.tradeId} ${entry.value.report?.status}`;
  return "";
}

const fill = (tradeId: string, traceId: string, status = "MATCHED") => ({
  tradeId,
  orderId: `order of ${tradeId}`,
  traceId,
  wallet,
  status,
});

test("a session is told from its beginning: its actions and their fills in the order they came", async () => {
  await bot.recordUserAction(action("start", { sessionId: "story", traceId: "story_trc" }));
  await bot.recordExecutionReport(fill("t1", "story_trc"));
  await bot.recordUserAction(action("halt", { sessionId: "story", actionType: "HALT" }));
  await bot.recordExecutionReport(fill("t1", "story_trc", "TRADE_STATUS_CONFIRMED"));
  await bot.recordUserAction(action("stop", { sessionId: "story", actionType: "STRATEGY_STOP" }));
  await bot.recordUserAction(action("elsewhere", { sessionId: "story too", traceId: "story_other" }));
  await bot.recordExecutionReport(fill("t2", "story_other"));
  const entries = await storyOf("story");
  expect(entries.map(brief)).toEqual(["start", "t1 MATCHED", "halt", "t1 CONFIRMED", "stop"]);
  const positions = entries.map(({ entry }) =>
    Number(entry.case === "fill" ? entry.value.position : entry.value?.report?.position),
  );
  expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  expect(entries[2]?.entry.value).toMatchObject({
    summary: "You halted trading.",
    report: { walletAddress: wallet, sessionId: "story" },
  });
  expect(entries[1]?.entry.value).toMatchObject({ linkedEventIds: ["start"], report: { tradeId: "t1" } });
});

test("a fill that came before its action stands where it came", async () => {
  await bot.recordExecutionReport(fill("early", "early_trc"));
  await bot.recordUserAction(action("late", { sessionId: "early", traceId: "early_trc" }));
  expect((await storyOf("early")).map(brief)).toEqual(["early MATCHED", "late"]);
});

test("a fill that is linked to two actions of the session is told once for each of its reports", async () => {
  for (const eventId of ["two_a", "two_b"]) {
    await bot.recordUserAction(action(eventId, { sessionId: "two", traceId: "two_trc" }));
  }
  await bot.recordExecutionReport(fill("two", "two_trc"));
  await bot.recordExecutionReport(fill("two", "two_trc", "MINED"));
  const entries = await storyOf("two");
  expect(entries.map(brief)).toEqual(["two_a", "two_b", "two MATCHED", "two MINED"]);
  expect(entries[2]?.entry.value).toMatchObject({ linkedEventIds: ["two_a", "two_b"] });
});

test("a fill whose trace is known only by its order later is told with the session too", async () => {
  await bot.recordExecutionReport({ ...fill("quiet", ""), orderId: "quiet_order" });
  await bot.recordUserAction(action("quiet", { sessionId: "quiet", traceId: "quiet_trc" }));
  expect((await storyOf("quiet")).map(brief)).toEqual(["quiet"]);
  await bot.recordExecutionReport({ ...fill("quiet", "quiet_trc", "MINED"), orderId: "quiet_order" });
  expect((await storyOf("quiet")).map(brief)).toEqual(["quiet MATCHED", "quiet", "quiet MINED"]);
});

test("pages have neither gaps nor repeats, whatever their size, and however actions and fills alternate", async () => {
  const expected: string[] = [];
  const kinds = "aaffafaaafffffaf";
  for (const [i, kind] of [...kinds].entries()) {
    if (kind === "a") {
      await bot.recordUserAction(action(`paged_${i}`, { sessionId: "paged", traceId: "paged_trc" }));
      expected.push(`paged_${i}`);
    } else {
      await bot.recordExecutionReport(fill(`paged_${i}`, "paged_trc"));
      expected.push(`paged_${i} MATCHED`);
    }
  }
  for (const pageSize of [1, 2, 3, 5, kinds.length, 1000]) {
    expect((await storyOf("paged", pageSize)).map(brief)).toEqual(expected);
  }
});

test("a page of large actions ends early, so that any client can take it, and the fills between stay in order", async () => {
  const expected: string[] = [];
  const params = { filler: "x".repeat(60_000) };
  for (let i = 0; i < 20; i++) {
    await bot.recordUserAction(action(`large_${i}`, { sessionId: "large", traceId: "large_trc", params }));
    await bot.recordExecutionReport(fill(`large_${i}`, "large_trc"));
    expected.push(`large_${i}`, `large_${i} MATCHED`);
  }
  const first = await compliance.listSessionActivity({ sessionId: "large", pageSize: 1000 });
  expect(first.entries.length).toBeLessThan(40);
  expect((await storyOf("large", 1000)).map(brief)).toEqual(expected);
});

test("what is missing from a session's numbers is said beside its story, and no more once it came", async () => {
  const numbered = (number: bigint) =>
    bot.recordUserAction(action(`no_${number}`, { sessionId: "numbered", sessionSeq: number }));
  const missing = async () =>
    (await compliance.listSessionActivity({ sessionId: "numbered" })).missingSessionSeq.map((range) => [
      range.first,
      range.last,
    ]);
  await numbered(1n);
  expect(await missing()).toEqual([]);
  await numbered(7n);
  await numbered(4n);
  expect(await missing()).toEqual([
    [2n, 3n],
    [5n, 6n],
  ]);
  for (const late of [2n, 6n, 3n, 5n]) await numbered(late);
  expect(await missing()).toEqual([]);
});

test("what several wallets did in a session is one story", async () => {
  await bot.recordUserAction(action("mine", { sessionId: "wallets" }));
  await bot.recordUserAction(action("theirs", { sessionId: "wallets", wallet: otherWallet }));
  expect((await storyOf("wallets")).map(brief)).toEqual(["mine", "theirs"]);
});

test("a session that nobody knows is empty, and one session's page token is not another's", async () => {
  const nothing = await compliance.listSessionActivity({ sessionId: "nobody's" });
  expect(nothing).toMatchObject({ entries: [], nextPageToken: "", missingSessionSeq: [] });
  const { nextPageToken: pageToken } = await compliance.listSessionActivity({
    sessionId: "story",
    pageSize: 1,
  });
  const refusal = await refusalOf(compliance.listSessionActivity({ sessionId: "two", pageToken }));
  expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "page_token" });
});
