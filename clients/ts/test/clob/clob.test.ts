// Together with the venue's own package in one program.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Side, type Trade } from "@polymarket/clob-client";
import { reportsOfTrade } from "polytraders-governance-client";

const wallet = "0x00000000219ab540356cBB839Cbe05303d7705Fa";

test("a trade of @polymarket/clob-client is the fills of our orders in it", () => {
  const trade: Trade = {
    id: "7f3c1b52",
    taker_order_id: "0xtaker",
    market: "0xm",
    asset_id: "71321045679252212594626385532706912750332728571942532289631379312455583992563",
    side: Side.BUY,
    size: "1137.190000",
    fee_rate_bps: "0",
    price: "0.914483",
    status: "CONFIRMED",
    match_time: "1770544865",
    last_update: "1770544865123",
    outcome: "No",
    bucket_index: 0,
    owner: "our-key",
    maker_address: wallet,
    maker_orders: [
      {
        order_id: "0xa",
        owner: "our-key",
        maker_address: wallet,
        matched_amount: "0.000001",
        price: "0.69",
        fee_rate_bps: "0",
        asset_id: "1",
        outcome: "Yes",
        side: Side.SELL,
      },
    ],
    transaction_hash: "0xt",
    trader_side: "TAKER",
  };
  const both = reportsOfTrade([trade], { apiKeys: ["our-key"] });
  assert.deepEqual(
    both.map(({ tradeId, orderId, side, size, traderSide }) => [tradeId, orderId, side, size, traderSide]),
    [
      ["7f3c1b52", "0xtaker", "BUY", "1137.190000", "TAKER"],
      ["7f3c1b52", "0xa", "SELL", "0.000001", "MAKER"],
    ],
  );
  assert.deepEqual([both[0]?.matchedAt?.seconds, both[0]?.updatedAt?.nanos], [1_770_544_865n, 123_000_000]);
  const maker: Trade = { ...trade, trader_side: "MAKER" };
  assert.deepEqual(
    reportsOfTrade(maker, { apiKeys: ["our-key"] }).map(({ orderId }) => orderId),
    ["0xa"],
  );
});
