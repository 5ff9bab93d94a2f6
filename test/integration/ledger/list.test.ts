import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  ListUserActionsResponse,
  UserActionEntry,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import { collect } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action, otherWallet, wallet, walletLowerCase } from "./actions.ts";

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

type Filters = Parameters<LedgerClient["listUserActions"]>[0];

function idsOf(page: ListUserActionsResponse): (string | undefined)[] {
  return page.actions.map((entry) => entry.report?.eventId);
}

/** All pages of a list, newest first. */
async function listAll(
  client: LedgerClient,
  filters: Filters,
  between?: () => Promise<unknown>,
): Promise<UserActionEntry[]> {
  const entries: UserActionEntry[] = [];
  let pageToken = "";
  do {
    const page = await client.listUserActions({ ...filters, pageToken });
    entries.push(...page.actions);
    pageToken = page.nextPageToken;
    await between?.();
  } while (pageToken !== "");
  return entries;
}

function timestamp(iso: string) {
  const micros = microsOf(iso);
  return { seconds: BigInt(Math.floor(micros / 1_000_000)), nanos: (micros % 1_000_000) * 1000 };
}

test("a list right after a record begins with it, every time", async () => {
  for (let i = 0; i < 20; i++) {
    await bot.recordUserAction(action(`fresh_${i}`, { sessionId: "fresh" }));
    const page = await compliance.listUserActions({ sessionId: "fresh", pageSize: 1 });
    expect(idsOf(page)).toEqual([`fresh_${i}`]);
  }
});

test("an entry for compliance has the whole report, placed in the log", async () => {
  clock.set("2026-05-09T10:00:00Z");
  await bot.recordUserAction(
    action("whole", { paramsJson: '{"n":1.10}', traceId: "trc_whole", sessionSeq: 3n }),
  );
  const { actions } = await compliance.listUserActions({ traceId: "trc_whole" });
  expect(actions).toHaveLength(1);
  expect(actions[0]).toMatchObject({
    actionType: "STRATEGY_START",
    summary: "You started a strategy.",
    recordedAt: timestamp("2026-05-09T10:00:00Z"),
    report: {
      eventId: "whole",
      actionParamsJson: '{"n":1.10}',
      sessionSeq: 3n,
      walletAddress: wallet,
      epoch: 1n,
    },
  });
  expect(actions[0]?.report?.position).toBeGreaterThan(0n);
});

test("pages are newest first and have neither gaps nor repeats, whatever their size", async () => {
  for (let i = 1; i <= 25; i++) await bot.recordUserAction(action(`paged_${i}`, { sessionId: "paged" }));
  const newestFirst = Array.from({ length: 25 }, (_, i) => `paged_${25 - i}`);
  for (const pageSize of [1, 4, 5, 24, 25, 26, 1000]) {
    const entries = await listAll(compliance, { sessionId: "paged", pageSize });
    expect(entries.map((entry) => entry.report?.eventId)).toEqual(newestFirst);
    const positions = entries.map((entry) => Number(entry.report?.position));
    expect(positions).toEqual(positions.toSorted((a, b) => b - a));
  }
  expect((await compliance.listUserActions({ sessionId: "paged", pageSize: 25 })).nextPageToken).toBe("");
});

test("a page has 100 actions when no size is asked for", async () => {
  const sends = Array.from({ length: 101 }, (_, i) =>
    bot.recordUserAction(action(`hundred_${i}`, { sessionId: "hundred" })),
  );
  await Promise.all(sends);
  const page = await compliance.listUserActions({ sessionId: "hundred" });
  expect(page.actions).toHaveLength(100);
  expect(page.nextPageToken).not.toBe("");
});

test("a page of large actions ends early, so that any client can take it, and the next goes on", async () => {
  const params = { filler: "x".repeat(60_000) };
  const sends = Array.from({ length: 30 }, (_, i) =>
    bot.recordUserAction(action(`large_${i}`, { sessionId: "large", params })),
  );
  await Promise.all(sends);
  const first = await compliance.listUserActions({ sessionId: "large", pageSize: 1000 });
  expect(first.actions.length).toBeGreaterThan(1);
  expect(first.actions.length).toBeLessThan(20);
  const entries = await listAll(compliance, { sessionId: "large", pageSize: 1000 });
  expect(new Set(entries.map((entry) => entry.report?.eventId)).size).toBe(30);
  expect(entries).toHaveLength(30);
});

test("paging while others write shows each earlier action once and none that came later", async () => {
  const before = new Set<string>();
  const earlier = Array.from({ length: 60 }, (_, i) => `going_${i}`);
  await Promise.all(
    earlier.map(async (id) => {
      await bot.recordUserAction(action(id, { sessionId: "going on" }));
      before.add(id);
    }),
  );
  const writers = await Promise.all(
    [1, 2, 3].map((n) => ledgerAs(service, "bot", { subject: `writer-${n}` })),
  );
  let later = 0;
  const pages = await listAll(compliance, { sessionId: "going on", pageSize: 7 }, () =>
    Promise.all(
      writers.map((writer) => writer.recordUserAction(action(`later_${later++}`, { sessionId: "going on" }))),
    ),
  );
  const ids = pages.map((entry) => entry.report?.eventId ?? "");
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(ids)).toEqual(before);
});

describe("filters", () => {
  beforeAll(async () => {
    const times = ["2026-06-01T00:00:00Z", "2026-06-02T00:00:00.000001Z", "2026-06-03T00:00:00Z"];
    for (const [day, time] of times.entries()) {
      clock.set(time);
      await bot.recordUserAction(action(`f_${day}_a`, { sessionId: "f_s1", traceId: "f_t1" }));
      await bot.recordUserAction(
        action(`f_${day}_b`, { sessionId: "f_s2", actionType: "HALT", wallet: otherWallet }),
      );
      await bot.recordUserAction(
        action(`f_${day}_c`, { sessionId: "f_s1", actionType: "MY_OWN_KIND_2", wallet: walletLowerCase }),
      );
    }
    clock.set("2026-06-04T00:00:00Z");
  });

  const range = { fromTime: timestamp("2026-06-01T00:00:00Z"), toTime: timestamp("2026-06-04T00:00:00Z") };

  test.each<[string, Filters, string[]]>([
    [
      "a wallet, in any case",
      { wallet: wallet.toUpperCase().replace("0X", "0x"), ...range },
      ["2_c", "2_a", "1_c", "1_a", "0_c", "0_a"],
    ],
    [
      "a wallet in lower case",
      { wallet: walletLowerCase, sessionId: "f_s1", actionType: "STRATEGY_START" },
      ["2_a", "1_a", "0_a"],
    ],
    ["another wallet", { wallet: otherWallet, ...range }, ["2_b", "1_b", "0_b"]],
    ["a session", { sessionId: "f_s2" }, ["2_b", "1_b", "0_b"]],
    ["a trace", { traceId: "f_t1" }, ["2_a", "1_a", "0_a"]],
    ["a kind of action, known or not", { actionType: "MY_OWN_KIND_2" }, ["2_c", "1_c", "0_c"]],
    [
      "a time from, inclusive",
      { ...range, fromTime: timestamp("2026-06-02T00:00:00.000001Z"), sessionId: "f_s2" },
      ["2_b", "1_b"],
    ],
    [
      "a time to, exclusive",
      { ...range, toTime: timestamp("2026-06-02T00:00:00.000001Z"), sessionId: "f_s2" },
      ["0_b"],
    ],
    [
      "one microsecond",
      {
        fromTime: timestamp("2026-06-02T00:00:00.000001Z"),
        toTime: timestamp("2026-06-02T00:00:00.000002Z"),
      },
      ["1_c", "1_b", "1_a"],
    ],
    [
      "a time that begins between two microseconds",
      {
        fromTime: { ...timestamp("2026-06-02T00:00:00Z"), nanos: 1001 },
        toTime: timestamp("2026-06-03T00:00:00Z"),
      },
      [],
    ],
    [
      "an empty range",
      { fromTime: timestamp("2026-06-02T00:00:00Z"), toTime: timestamp("2026-06-02T00:00:00Z") },
      [],
    ],
    [
      "all at once",
      { wallet, sessionId: "f_s1", traceId: "f_t1", actionType: "STRATEGY_START", ...range },
      ["2_a", "1_a", "0_a"],
    ],
    ["what nobody did", { sessionId: "f_s1", actionType: "HALT" }, []],
  ])("%s", async (_, filters, expected) => {
    const entries = await listAll(compliance, { ...filters, pageSize: 2 });
    expect(entries.map((entry) => entry.report?.eventId)).toEqual(expected.map((id) => `f_${id}`));
  });

  test.each<[string, Filters]>([
    ["wallet", { wallet: "0x12" }],
    ["session_id", { sessionId: "s".repeat(129) }],
    ["trace_id", { traceId: "\0" }],
    ["action_type", { actionType: "halt" }],
    ["from_time", { fromTime: { seconds: -1n, nanos: 0 } }],
    ["to_time", { toTime: { seconds: 1n, nanos: 2_000_000_000 } }],
    ["to_time", { fromTime: { seconds: 2n, nanos: 0 }, toTime: { seconds: 1n, nanos: 0 } }],
    ["page_size", { pageSize: -1 }],
    ["page_size", { pageSize: 1001 }],
  ])("a bad %s is refused with its path", async (field, filters) => {
    expect(await refusalOf(compliance.listUserActions(filters))).toMatchObject({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      field,
    });
  });
});

describe("page tokens", () => {
  beforeAll(async () => {
    for (let i = 1; i <= 5; i++) await bot.recordUserAction(action(`token_${i}`, { sessionId: "tokens" }));
  });

  async function token(filters: Filters): Promise<string> {
    const { nextPageToken } = await compliance.listUserActions({ ...filters, pageSize: 1 });
    expect(nextPageToken).not.toBe("");
    return nextPageToken;
  }

  const refused = { code: "InvalidArgument", reason: "INVALID_FIELD", field: "page_token" };

  test("of other filters are refused, and another page size is no other filter", async () => {
    const pageToken = await token({ sessionId: "tokens" });
    for (const filters of [
      {},
      { sessionId: "fresh" },
      { sessionId: "tokens", wallet },
      { traceId: "tokens" },
    ]) {
      expect(await refusalOf(compliance.listUserActions({ ...filters, pageToken }))).toMatchObject(refused);
    }
    const page = await compliance.listUserActions({ sessionId: "tokens", pageSize: 3, pageToken });
    expect(idsOf(page)).toEqual(["token_4", "token_3", "token_2"]);
  });

  test("that were forged, cut or changed in any byte are refused", async () => {
    const real = Buffer.from(await token({ sessionId: "tokens" }), "base64url");
    const changed = Array.from(real.keys(), (at) => Buffer.from(real.with(at, (real[at] ?? 0) ^ 1)));
    const forgeries = [
      Buffer.from("{}"),
      Buffer.from("x"),
      real.subarray(1),
      real.subarray(0, -1),
      ...changed,
    ];
    for (const forged of forgeries) {
      const pageToken = forged.toString("base64url");
      expect(await refusalOf(compliance.listUserActions({ sessionId: "tokens", pageToken }))).toMatchObject(
        refused,
      );
    }
  });

  test("of an export are none of a list", async () => {
    const [chunk] = await collect(compliance.exportUserActions({ sessionId: "tokens" }));
    const pageToken = chunk?.resumeToken ?? "";
    expect(pageToken).not.toBe("");
    expect(await refusalOf(compliance.listUserActions({ sessionId: "tokens", pageToken }))).toMatchObject(
      refused,
    );
  });
});
