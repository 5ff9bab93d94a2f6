import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import {
  collect,
  expectChainOver,
  expectTrailerToProve,
  parseExact,
  type ReceivedExport,
  readExport,
} from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type ActionInit, action, otherWallet, walletLowerCase } from "./actions.ts";

let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

type Filters = Parameters<LedgerClient["exportUserActions"]>[0];

async function exported(filters: Filters): Promise<ReceivedExport> {
  const received = await readExport(compliance.exportUserActions(filters));
  expectTrailerToProve(received);
  return received;
}

function idsOf({ lines }: ReceivedExport): unknown[] {
  return lines.map((line) => JSON.parse(line).event_id);
}

test("an export of nothing is a trailer that says so", async () => {
  const received = await exported({ sessionId: "nobody's" });
  expect(received.bytes).toHaveLength(0);
  expect(received.trailer).toMatchObject({ count: 0n, totalCount: 0n, complete: true, epoch: 1n });
  expectChainOver([], received.trailer);
});

const values = [
  '{"n":9007199254740993,"big":123456789012345678901234567890123456789012345678}',
  '{"d":0.1234567890123456789012345678901234567890,"e":1.50e-30,"E":1E400}',
  '{"zero":-0,"zeros":0.000,"one":1.0}',
  '{"a":[[[[[[[[[[{"deep":[null,true,false,""]}]]]]]]]]]]}',
  '{"__proto__":{"x":1},"constructor":null,"":"empty key"}',
  '{"text":"\\u0000 \\ud83d\\ude00 \\" \\\\ \\/ \\u001b[31m \\r\\n"}',
  '{"separators":"\u2028\u2029\u0085"}',
  '{"sql":"\'; drop table ledger.user_action; --","html":"<script>"}',
  "{}",
  "null",
];

test("every value comes back as it was sent, digit for digit, on one line each", async () => {
  for (const [i, paramsJson] of values.entries()) {
    await bot.recordUserAction(action(`value_${i}`, { sessionId: "values", paramsJson }));
  }
  await bot.recordUserAction(action("value_absent", { sessionId: "values" }));
  const { lines, bytes } = await exported({ sessionId: "values" });
  expect(lines.map((line) => parseExact(line))).toEqual([
    ...values.map((text, i) =>
      expect.objectContaining({ event_id: `value_${i}`, action_params: parseExact(text) }),
    ),
    expect.not.objectContaining({ action_params: expect.anything() }),
  ]);
  const splitElsewhere = bytes.toString().split(/[\n\r\u0085\u2028\u2029\v\f]/);
  expect(splitElsewhere, "no reader of lines finds more of them").toHaveLength(lines.length + 1);
});

test("every field comes back as it was sent", async () => {
  const sent = action("fields \u2028 \"'\\", {
    sessionId: "fields 😀",
    traceId: "trc\t\u0001",
    occurredAt: { seconds: 1_778_320_800n, nanos: 123_456_789 },
    sessionSeq: 2n ** 62n + 1n,
    actionType: "A_NEW_KIND",
  });
  await bot.recordUserAction(sent);
  const { lines } = await exported({ sessionId: "fields 😀" });
  expect(lines.map((line) => parseExact(line))).toEqual([
    {
      epoch: { number: "1" },
      position: { number: expect.stringMatching(/^\d+$/) },
      report_id: expect.stringMatching(/^stl_useractivityledger_[0-9A-Z]{26}$/),
      bot_id: "gov.useractivityledger",
      event_type: "USER_ACTION_RECORDED",
      event_id: sent.eventId,
      wallet_address: sent.wallet,
      session_id: sent.sessionId,
      action_type: "A_NEW_KIND",
      trace_id: sent.traceId,
      occurred_at: "2026-05-09T10:00:00.123456789Z",
      session_seq: { number: "4611686018427387905" },
      recorded_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z$/),
      recorded_by: "tester",
      report_kind: "SettlementReport",
      topic: "polytraders.reports.settlement",
      retained_until: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    },
  ]);
});

test("numbers that came as doubles beyond 2^53 are marked", async () => {
  const params = { exact: 9007199254740991, rounded: [1, { n: 2 ** 60 }] };
  await bot.recordUserAction(action("inexact", { sessionId: "inexact", params }));
  const { lines } = await exported({ sessionId: "inexact" });
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ inexact: ["/rounded/1/n"] });
});

test("any parameters come back as they were sent", async () => {
  const number = fc.oneof(
    fc.integer().map(String),
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }).map(String),
    fc.stringMatching(/^-?(0|[1-9]\d{0,20})\.\d{1,40}$/),
    fc.stringMatching(/^-?[1-9](\.\d{1,5})?[eE][+-]?\d{1,3}$/),
  );
  const text = fc.string({ unit: "binary", maxLength: 12 }).map((value) => JSON.stringify(value));
  const { json } = fc.letrec<{ json: string }>((tie) => ({
    json: fc.oneof(
      { depthSize: "small" },
      number,
      text,
      fc.constantFrom("null", "true", "false"),
      fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join()}]`),
      fc.dictionary(fc.string({ unit: "binary", maxLength: 6 }), tie("json"), { maxKeys: 4 }).map(objectText),
    ),
  }));
  const params = fc
    .dictionary(fc.string({ unit: "binary", maxLength: 6 }), json, { maxKeys: 5 })
    .map(objectText);
  const texts = fc.sample(params, { numRuns: 100, seed: 7 });
  const sends = texts.map((paramsJson, i) =>
    bot.recordUserAction(action(`any_${i}`, { sessionId: "any", paramsJson })),
  );
  await Promise.all(sends);
  const { lines } = await exported({ sessionId: "any" });
  expect(lines).toHaveLength(texts.length);
  for (const line of lines) {
    const { event_id: id } = JSON.parse(line);
    const sent = texts[Number(String(id).slice("any_".length))] ?? "";
    expect(parseExact(line)).toHaveProperty("action_params", parseExact(sent));
  }
});

function objectText(members: Record<string, string>): string {
  return `{${Object.entries(members).map(([key, value]) => `${JSON.stringify(key)}:${value}`)}}`;
}

test.each<[string, Filters, string[]]>([
  ["nothing but the session", {}, ["a", "b", "c"]],
  ["a wallet, in any case", { wallet: walletLowerCase }, ["a", "b"]],
  ["a trace", { traceId: "f_trc" }, ["b", "c"]],
  ["a kind of action", { actionType: "HALT" }, ["b"]],
  ["a time yet to come", { fromTime: { seconds: 4_000_000_000n, nanos: 0 } }, []],
  ["everything at once", { wallet: walletLowerCase, traceId: "f_trc", actionType: "HALT" }, ["b"]],
])("filtered by %s it has those lines alone, oldest first", async (_, filters, expected) => {
  await bot.recordUserAction(action("filter_a", { sessionId: "filter" }));
  await bot.recordUserAction(
    action("filter_b", { sessionId: "filter", actionType: "HALT", traceId: "f_trc" }),
  );
  await bot.recordUserAction(
    action("filter_c", { sessionId: "filter", wallet: otherWallet, traceId: "f_trc" }),
  );
  const received = await exported({ sessionId: "filter", ...filters });
  expect(idsOf(received)).toEqual(expected.map((id) => `filter_${id}`));
});

test.each<[string, Filters]>([
  ["wallet", { wallet: "0x12" }],
  ["session_id", { sessionId: "s".repeat(129) }],
  ["trace_id", { traceId: "t".repeat(129) }],
  ["action_type", { actionType: "no" }],
  ["to_time", { fromTime: { seconds: 2n, nanos: 0 }, toTime: { seconds: 1n, nanos: 0 } }],
])("a bad %s is refused with its path", async (field, filters) => {
  const refusal = await refusalOf(collect(compliance.exportUserActions(filters)));
  expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "INVALID_FIELD", field });
});

describe("an export of several chunks", () => {
  let uncut: ReceivedExport;
  beforeAll(async () => {
    const sends: Promise<unknown>[] = [];
    for (let i = 0; i < 40; i++) {
      const params = { filler: `${i}\u2028`.repeat(8_000) };
      sends.push(bot.recordUserAction(action(`chunk_${i}`, { sessionId: "chunks", params })));
    }
    await Promise.all(sends);
    uncut = await exported({ sessionId: "chunks" });
  });

  test("has whole lines in every chunk and a chain over all of them", () => {
    expect(uncut.resumePoints.length).toBeGreaterThan(3);
    expect(uncut.lines).toHaveLength(40);
    expectChainOver(uncut.lines, uncut.trailer);
  });

  test("goes on behind any chunk with the same bytes, and the chain proves both parts as one", async () => {
    for (const { bytes, token } of uncut.resumePoints) {
      await bot.recordUserAction(action(`chunk_later_${bytes}`, { sessionId: "chunks" }));
      const rest = await exported({ sessionId: "chunks", resumeToken: token });
      expect(rest.bytes.equals(uncut.bytes.subarray(bytes)), `behind byte ${bytes}`).toBe(true);
      expect(rest.trailer).toMatchObject({
        totalCount: uncut.trailer.totalCount,
        throughPosition: uncut.trailer.throughPosition,
        epoch: uncut.trailer.epoch,
      });
      expectChainOver(uncut.lines, rest.trailer);
    }
  });

  test("can be cut again and again", async () => {
    let bytes = Buffer.alloc(0);
    let resumeToken = "";
    for (;;) {
      const controller = new AbortController();
      const parts = compliance.exportUserActions(
        { sessionId: "chunks", resumeToken },
        { signal: controller.signal },
      );
      const first = await parts[Symbol.asyncIterator]().next();
      if (first.done || first.value.trailer !== undefined) break;
      controller.abort();
      bytes = Buffer.concat([bytes, first.value.jsonl]);
      resumeToken = first.value.resumeToken;
    }
    expect(bytes.subarray(0, uncut.bytes.length).equals(uncut.bytes)).toBe(true);
  });

  test("refuses a token of other filters, of a list, and any that was changed", async () => {
    const real = uncut.resumePoints[0]?.token ?? "";
    const { nextPageToken } = await compliance.listUserActions({ sessionId: "chunks", pageSize: 1 });
    const changed = Buffer.from(real, "base64url");
    changed[20] = (changed[20] ?? 0) ^ 1;
    const attempts: Filters[] = [
      { resumeToken: real },
      { resumeToken: real, sessionId: "chunks", actionType: "HALT" },
      { resumeToken: nextPageToken, sessionId: "chunks" },
      { resumeToken: changed.toString("base64url"), sessionId: "chunks" },
      { resumeToken: "forged", sessionId: "chunks" },
    ];
    for (const attempt of attempts) {
      const refusal = await refusalOf(collect(compliance.exportUserActions(attempt)));
      expect(refusal).toMatchObject({
        code: "InvalidArgument",
        reason: "INVALID_FIELD",
        field: "resume_token",
      });
    }
  });
});

test("it covers everything that was acked before the call, while writers go on", async () => {
  const stop = new AbortController();
  const acked: string[] = [];
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    const client: Pick<ActionInit, "sessionId"> = { sessionId: "busy" };
    for (let i = 0; !stop.signal.aborted; i++) {
      const id = `busy_${writer}_${i}`;
      await bot.recordUserAction(action(id, client));
      acked.push(id);
    }
  });
  for (let round = 0; round < 12; round++) {
    const before = [...acked];
    const received = await exported({ sessionId: "busy" });
    const ids = idsOf(received);
    expect(new Set(ids).size).toBe(ids.length);
    expect(before.filter((id) => !ids.includes(id))).toEqual([]);
  }
  stop.abort();
  await Promise.all(writers);
});
