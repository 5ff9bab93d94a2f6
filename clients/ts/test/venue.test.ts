import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ExecutionReportSchema } from "polytraders-governance-client/v1";
import { type Ours, reportsOfTrade } from "polytraders-governance-client/venue";

const asset = "71321045679252212594626385532706912750332728571942532289631379312455583992563";
const checksummed = "0x00000000219ab540356cBB839Cbe05303d7705Fa";

/** As the user channel sends one in which two of our maker orders were filled. */
const trade = {
  event_type: "trade",
  type: "TRADE",
  id: "7f3c:1b52",
  taker_order_id: "0xtaker",
  market: "0xm",
  asset_id: asset,
  side: "BUY",
  size: "10.50",
  fee_rate_bps: "0",
  price: "0.570",
  status: "TRADE_STATUS_MINED",
  matchtime: "1747821030",
  last_update: "1747821031500",
  outcome: "Yes",
  owner: "key-theirs",
  trade_owner: "key-ours",
  maker_address: "0x0000000000000000000000000000000000000009",
  transaction_hash: "0xt",
  trader_side: "MAKER",
  maker_orders: [
    {
      order_id: "0xa",
      owner: "key-ours",
      maker_address: checksummed,
      matched_amount: "4.5000",
      price: "0.570",
      fee_rate_bps: "0",
      asset_id: asset,
      outcome: "Yes",
      side: "SELL",
    },
    {
      order_id: "0xb",
      owner: "key-ours",
      maker_address: checksummed,
      matched_amount: "5.00",
      price: "0.57",
      fee_rate_bps: "20",
      asset_id: asset,
      outcome: "Yes",
    },
    {
      order_id: "0xc",
      owner: "key-other",
      maker_address: "0x0000000000000000000000000000000000000008",
      matched_amount: "1",
      price: "0.5",
      fee_rate_bps: "0",
      asset_id: "1",
      outcome: "No",
    },
  ],
};

const taken = (members: string) => `{"id":"t","taker_order_id":"o","trader_side":"TAKER"${members}}`;

test("each order of ours is a fill, with its own amounts", () => {
  const traces = new Map([["0xa", "trc_1"]]);
  const ours: Ours = { apiKeys: ["key-ours"], trace: (orderId) => traces.get(orderId) };
  const [first, second, ...others] = reportsOfTrade(trade, ours);
  const want = fromJson(ExecutionReportSchema, {
    trade_id: "7f3c:1b52",
    order_id: "0xa",
    trace_id: "trc_1",
    wallet: checksummed,
    status: "TRADE_STATUS_MINED",
    market: "0xm",
    asset_id: asset,
    side: "SELL",
    size: "4.5000",
    price: "0.570",
    fee_rate_bps: "0",
    outcome: "Yes",
    trader_side: "MAKER",
    transaction_hash: "0xt",
    matched_at: "2025-05-21T09:50:30Z",
    updated_at: "2025-05-21T09:50:31.500Z",
  });
  assert.deepEqual(first, want);
  assert.deepEqual(
    second,
    create(ExecutionReportSchema, {
      ...want,
      orderId: "0xb",
      traceId: "",
      side: "",
      size: "5.00",
      price: "0.57",
      feeRateBps: "20",
    }),
  );
  assert.deepEqual(others, []);
  assert.deepEqual(reportsOfTrade(JSON.stringify(trade), ours), [first, second]);
});

test("ours are found by address in any case, and by order", () => {
  assert.deepEqual(
    reportsOfTrade(trade, { addresses: [checksummed.toLowerCase()] }).map((one) => one.wallet),
    [checksummed, checksummed],
  );
  const byOrder = reportsOfTrade(trade, { trace: (orderId) => (orderId === "0xc" ? "" : undefined) });
  assert.deepEqual(
    byOrder.map((one) => one.orderId),
    ["0xc"],
  );
  assert.deepEqual(reportsOfTrade(trade, {}), []);
});

test("times are read in any unit", () => {
  const texts = [
    "1747821030",
    '"1747821030"',
    "1747821030000",
    '"1747821030000"',
    '"1747821030000000"',
    '"1747821030000000000"',
    '"1747821030.0"',
    '"2025-05-21T09:50:30Z"',
    '"2025-05-21T11:50:30+02:00"',
  ];
  for (const text of texts) {
    const [report] = reportsOfTrade(taken(`,"match_time":${text}`), {});
    assert.ok(report?.matchedAt, text);
    assert.equal(timestampMs(report.matchedAt), Date.UTC(2025, 4, 21, 9, 50, 30), text);
  }
  const [exact] = reportsOfTrade(
    taken(',"match_time":"1747821030.123456789","last_update":"1747821030123"'),
    {},
  );
  assert.equal(exact?.matchedAt?.nanos, 123_456_789);
  assert.equal(exact?.updatedAt?.nanos, 123_000_000);
});

test("numbers keep their digits", () => {
  const cases = {
    "0.10": "0.10",
    "1e-7": "0.0000001",
    "1.50E+3": "1500",
    "12.5e1": "125",
    "-1.25e-1": "-0.125",
    "5": "5",
    [asset]: asset,
    '"0.000001000"': "0.000001000",
  };
  for (const [number, want] of Object.entries(cases)) {
    assert.equal(reportsOfTrade(taken(`,"size":${number}`), {})[0]?.size, want);
  }
  // What is in a string is left alone.
  assert.equal(reportsOfTrade(taken(',"status":"a \\" 1.0 [,]"'), {})[0]?.status, 'a " 1.0 [,]');
});

test("lists, other messages and the raw text", () => {
  const list = `[{"event_type":"order","id":"0xo"}, ${taken(',"size":1.10,"x":["],",{}]')},${taken("")}]`;
  const reports = reportsOfTrade(list, { keepRaw: true });
  assert.deepEqual(
    reports.map((one) => one.rawJson),
    [taken(',"size":1.10,"x":["],",{}]'), taken("")],
  );
  assert.deepEqual(reportsOfTrade("[]", {}), []);
  assert.equal(
    reportsOfTrade(taken(`,"x":"${"x".repeat(70_000)}"`), { keepRaw: true })[0]?.rawJson,
    undefined,
  );
});

test("what is no trade is said", () => {
  const wrong = [
    "{",
    "{}",
    "7",
    "[7]",
    '{"id":"t","match_time":"soon"}',
    '{"id":"t","maker_orders":7}',
    '{"id":"t","maker_orders":[7]}',
    undefined,
    null,
    7,
  ];
  for (const text of wrong) assert.throws(() => reportsOfTrade(text, {}), TypeError, String(text));
});
