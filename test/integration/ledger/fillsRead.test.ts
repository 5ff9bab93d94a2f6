import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExportFillsRequestSchema } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import { expectChainOver, expectTrailerToProve, parseExact, readExport } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action, otherWallet, wallet } from "./actions.ts";
import { type FillInit, fill } from "./fillReports.ts";

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

const whole: FillInit = {
  fillId: "whole",
  tradeId: "t_whole",
  orderId: "o_whole",
  traceId: "trc_whole",
  wallet,
  status: "TRADE_STATUS_MINED",
  market: "0xmarket",
  assetId: "71321045679252212594626385532706912750332728571942532289631379312455583992563",
  side: "SELL",
  size: "1137.190000000000000000000000001",
  price: "0.914483",
  feeRateBps: "0",
  outcome: "No \u2028",
  traderSide: "MAKER",
  transactionHash: "0xa72b",
  matchedAt: { seconds: 1_778_320_800n, nanos: 123_456_789 },
  updatedAt: { seconds: 1_778_320_801n, nanos: 0 },
  rawJson: '{"size":1137.190000000000000000000000001,"bucket_index":0}',
};

test("every field of a report is listed and exported as it came, digit for digit", async () => {
  await bot.recordUserAction(action("whole", { traceId: "trc_whole" }));
  await bot.recordExecutionReport(whole);
  const { fills } = await compliance.listFills({ fillId: "whole" });
  expect(fills).toHaveLength(1);
  expect(fills[0]).toMatchObject({
    fillId: "whole",
    recordedAt: { seconds: 1_778_320_800n, nanos: 0 },
    report: { ...whole, status: "MINED" },
    linkedEventIds: ["whole"],
    recordedBy: "tester",
    retainedUntil: "2033-05-09",
    epoch: 1n,
  });
  expect(fills[0]?.position).toBeGreaterThan(0n);

  const { lines } = await readExport(compliance.exportFills({ fillId: "whole" }));
  expect(lines.map((line) => parseExact(line))).toEqual([
    {
      epoch: { number: "1" },
      position: { number: String(fills[0]?.position) },
      fill_id: "whole",
      report: {
        fill_id: "whole",
        trade_id: "t_whole",
        order_id: "o_whole",
        trace_id: "trc_whole",
        wallet,
        status: "MINED",
        market: "0xmarket",
        asset_id: whole.assetId,
        side: "SELL",
        size: whole.size,
        price: "0.914483",
        fee_rate_bps: "0",
        outcome: "No \u2028",
        trader_side: "MAKER",
        transaction_hash: "0xa72b",
        matched_at: "2026-05-09T10:00:00.123456789Z",
        updated_at: "2026-05-09T10:00:01Z",
        raw: parseExact(whole.rawJson ?? ""),
      },
      linked_event_ids: ["whole"],
      recorded_at: "2026-05-09T10:00:00Z",
      recorded_by: "tester",
      retained_until: "2033-05-09",
    },
  ]);
});

test("what was not sent stays absent, and a status that was not is MATCHED", async () => {
  await bot.recordExecutionReport({ fillId: "bare" });
  const { lines } = await readExport(compliance.exportFills({ fillId: "bare" }));
  expect(JSON.parse(lines[0] ?? "").report).toEqual({ fill_id: "bare", status: "MATCHED" });
});

type Filters = Extract<MessageInitShape<typeof ExportFillsRequestSchema>, { $typeName?: never }>;

function at(iso: string) {
  return { seconds: BigInt(microsOf(iso) / 1_000_000), nanos: 0 };
}

test.each<[string, Filters, string[]]>([
  ["its fill", { fillId: "f_own" }, ["f_own MINED", "f_own MATCHED"]],
  ["its fill, by trade and order", { fillId: "f_t1:f_o1" }, ["f_own MINED", "f_own MATCHED"]],
  ["its trade", { tradeId: "f_t1" }, ["f_t1:f_o2 MATCHED", "f_own MINED", "f_own MATCHED"]],
  ["its order", { orderId: "f_o2" }, ["f_t2:f_o2 FAILED", "f_t1:f_o2 MATCHED"]],
  ["the trace it carried", { traceId: "f_trc" }, ["f_own MINED"]],
  [
    "its wallet, in any case",
    { wallet: otherWallet.toUpperCase().replace("0X", "0x") },
    ["f_t2:f_o2 FAILED"],
  ],
  [
    "its time",
    { fromTime: at("2026-06-02T00:00:00Z"), toTime: at("2026-06-03T00:00:00Z") },
    ["f_t1:f_o2 MATCHED", "f_own MINED"],
  ],
  ["all at once", { fillId: "f_own", tradeId: "f_t1", orderId: "f_o1", traceId: "f_trc" }, ["f_own MINED"]],
  ["what nobody sent", { fillId: "f_own", orderId: "f_o2" }, []],
])("a report is found by %s, newest first, and by pages", async (_, filters, expected) => {
  clock.set("2026-06-01T00:00:00Z");
  await bot.recordExecutionReport(fill("f_t1", "f_o1"));
  clock.set("2026-06-02T00:00:00Z");
  await bot.recordExecutionReport(
    fill("f_t1", "f_o1", { fillId: "f_own", status: "MINED", traceId: "f_trc" }),
  );
  await bot.recordExecutionReport(fill("f_t1", "f_o2"));
  clock.set("2026-06-03T00:00:00Z");
  await bot.recordExecutionReport(fill("f_t2", "f_o2", { status: "FAILED", wallet: otherWallet }));

  const found: string[] = [];
  let pageToken = "";
  do {
    const page = await compliance.listFills({ ...filters, pageSize: 1, pageToken });
    found.push(...page.fills.map((entry) => `${entry.fillId} ${entry.report?.status}`));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(found).toEqual(expected);
  const { lines } = await readExport(compliance.exportFills(filters));
  const exported = lines.map((line) => JSON.parse(line));
  expect(exported.map((one) => `${one.fill_id} ${one.report.status}`)).toEqual(expected.toReversed());
});

test("an export of fills goes on behind any chunk with the same bytes, and the chain proves both parts as one", async () => {
  const raw = JSON.stringify({ filler: "x".repeat(60_000) });
  for (let i = 0; i < 12; i++) {
    await bot.recordExecutionReport(fill("large", `large_${i}`, { rawJson: raw, traceId: "large" }));
  }
  const uncut = await readExport(compliance.exportFills({ tradeId: "large" }));
  expectTrailerToProve(uncut);
  expectChainOver(uncut.lines, uncut.trailer);
  expect(uncut.resumePoints.length).toBeGreaterThan(1);
  await bot.recordUserAction(action("large", { traceId: "large" })); // Links that the export does not know.
  for (const { bytes, token } of uncut.resumePoints) {
    const rest = await readExport(compliance.exportFills({ tradeId: "large", resumeToken: token }));
    expect(rest.bytes.equals(uncut.bytes.subarray(bytes))).toBe(true);
    expectChainOver(uncut.lines, rest.trailer);
  }
  const refusal = await refusalOf(
    readExport(compliance.exportFills({ tradeId: "other", resumeToken: uncut.resumePoints[0]?.token ?? "" })),
  );
  expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "resume_token" });
});

test("each reading of fills leaves one row in the access log", async () => {
  await compliance.listFills({ fillId: "accessed" });
  await readExport(compliance.exportFills({ fillId: "accessed" }));
  const rows = await service.database.query(
    "superuser",
    "select method, outcome from access.read_log where filters_json like '%accessed%' order by method",
  );
  expect(rows).toEqual([
    { method: "UserActivityLedgerService/ExportFills", outcome: "ALLOWED" },
    { method: "UserActivityLedgerService/ListFills", outcome: "ALLOWED" },
  ]);
});
