import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventConflict } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type ActionInit, action, otherWallet } from "./actions.ts";

const clock = stoppedClock("2026-05-09T10:00:00Z");
let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  service = await startTestService({ clock });
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

/** Records an event and then has other content under its id refused. */
async function conflict(
  eventId: string,
  refused: Partial<ActionInit>,
  by = bot,
): Promise<string | undefined> {
  const { report } = await bot.recordUserAction(action(eventId));
  const refusal = await refusalOf(by.recordUserAction(action(eventId, refused)));
  expect(refusal.reason).toBe("EVENT_ID_CONFLICT");
  return report?.reportId;
}

async function listAll(filters: Parameters<LedgerClient["listEventConflicts"]>[0]): Promise<EventConflict[]> {
  const all: EventConflict[] = [];
  let pageToken = "";
  do {
    const page = await compliance.listEventConflicts({ ...filters, pageToken });
    all.push(...page.conflicts);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}

test("what was refused is listed as it came, with who sent it, when, and which record stands (R9)", async () => {
  clock.set("2026-05-09T10:00:00.000007Z");
  const refused = {
    wallet: otherWallet,
    sessionId: "sess \u2028",
    actionType: "KILL_SWITCH",
    traceId: "trc",
    paramsJson: '{"n":18446744073709551617,"d":1.10}',
    occurredAt: { seconds: 1n, nanos: 5 },
    sessionSeq: 2n ** 63n - 1n,
  };
  const other = await ledgerAs(service, "account", { subject: "another producer" });
  const recordedReportId = await conflict("whole", refused, other);
  const { conflicts, nextPageToken } = await compliance.listEventConflicts({ eventId: "whole" });
  expect(nextPageToken).toBe("");
  expect(conflicts).toEqual([
    expect.objectContaining({
      eventId: "whole",
      recordedReportId,
      refusedFrom: "another producer",
      refusedAt: expect.objectContaining({
        seconds: BigInt(microsOf("2026-05-09T10:00:00Z") / 1e6),
        nanos: 7000,
      }),
      refused: expect.objectContaining({
        ...refused,
        eventId: "whole",
        occurredAt: expect.objectContaining(refused.occurredAt),
        params: { n: 18446744073709552000, d: 1.1 },
      }),
    }),
  ]);
});

test("parameters that were refused as absent, null or empty are told apart", async () => {
  await bot.recordUserAction(action("kinds", { paramsJson: '{"a":1}' }));
  for (const refused of [{}, { paramsJson: "null" }, { paramsJson: "{}" }]) {
    await refusalOf(bot.recordUserAction(action("kinds", refused)));
  }
  const conflicts = await listAll({ eventId: "kinds" });
  expect(conflicts.map(({ refused }) => [refused?.paramsJson, refused?.params])).toEqual([
    ["{}", {}],
    ["null", undefined],
    [undefined, undefined],
  ]);
});

test("the same refused content is listed once, however often it came; a duplicate is no conflict", async () => {
  await conflict("once", { actionType: "HALT" });
  await conflict("once", { actionType: "HALT" });
  await bot.recordUserAction(action("once"));
  expect(await listAll({ eventId: "once" })).toHaveLength(1);
});

test("pages are newest first and have neither gaps nor repeats, whatever their size", async () => {
  clock.set("2026-06-01T00:00:00Z");
  for (let i = 0; i < 11; i++) await conflict(`paged_${i}`, { actionType: "HALT" });
  const newestFirst = Array.from({ length: 11 }, (_, i) => `paged_${10 - i}`);
  const fromTime = { seconds: BigInt(Date.parse("2026-06-01T00:00:00Z") / 1000) };
  for (const pageSize of [1, 4, 11, 1000]) {
    expect((await listAll({ pageSize, fromTime })).map(({ eventId }) => eventId)).toEqual(newestFirst);
  }
});

test("a time range is of when it was refused, its end not in it", async () => {
  const at = (iso: string) => ({ seconds: BigInt(Date.parse(iso) / 1000) });
  for (const day of [1, 2, 3]) {
    clock.set(`2026-07-0${day}T00:00:00Z`);
    await conflict(`day_${day}`, { actionType: "HALT" });
  }
  const found = await listAll({ fromTime: at("2026-07-02T00:00:00Z"), toTime: at("2026-07-03T00:00:00Z") });
  expect(found.map(({ eventId }) => eventId)).toEqual(["day_2"]);
});

test("a page of large conflicts ends early, so that any client can take it, and the next goes on", async () => {
  clock.set("2026-08-01T00:00:00Z");
  const params = { filler: "x".repeat(60_000) };
  for (let i = 0; i < 25; i++) await conflict(`large_${i}`, { params });
  const fromTime = { seconds: BigInt(Date.parse("2026-08-01T00:00:00Z") / 1000) };
  const first = await compliance.listEventConflicts({ fromTime, pageSize: 1000 });
  expect(first.conflicts.length).toBeLessThan(20);
  expect(await listAll({ fromTime, pageSize: 1000 })).toHaveLength(25);
});
