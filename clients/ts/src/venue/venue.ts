import { clone, create } from "@bufbuild/protobuf";
import { type ExecutionReport, ExecutionReportSchema } from "../gen/user_activity_ledger_pb.ts";
import { type Fields, fieldsOf, membersOf, parseExact } from "./fields.ts";

/**
 * Tells which orders of a trade are ours; any one of the three is enough. Where a trade says that we were the taker,
 * its taker's order is ours.
 */
export type Ours = {
  /**
   * Is asked for an order's trace id, kept since the order was posted; undefined says that the order is not ours. An
   * empty trace may come with a later report.
   */
  readonly trace?: (orderId: string) => string | undefined;
  /** Those that our orders were posted with. */
  readonly apiKeys?: readonly string[];
  /** Our wallets, in any case of letters. */
  readonly addresses?: readonly string[];
  /**
   * Puts the whole trade into rawJson, up to 64 KiB. A trade that comes in two forms, from REST and from the user
   * channel, is then recorded twice.
   */
  readonly keepRaw?: boolean;
};

const maxRawBytes = 64 * 1024;

/**
 * One report for each order of ours in a trade: (tradeId, orderId) is a fill. `trade` is a message of the user channel
 * or a trade of the REST interface, as JSON text or as the object that @polymarket/clob-client gives; names may be in
 * camelCase. An array gives the reports of all its trades; a message that is not of a trade gives none. Text is taken
 * as it is: amounts keep their digits, a status its prefix. Numbers keep theirs in JSON text; a JavaScript number has
 * lost digits before. Throws a TypeError for what is no trade.
 */
export function reportsOfTrade(trade: unknown, ours: Ours): ExecutionReport[] {
  if (Array.isArray(trade)) return trade.flatMap((one) => reportsOfTrade(one, ours));
  if (typeof trade !== "string") return reportsOf(trade, JSON.stringify(trade), ours);
  const read = parseExact(trade);
  if (Array.isArray(read)) return membersOf(trade).flatMap((one) => reportsOfTrade(one, ours));
  return reportsOf(read, trade, ours);
}

function reportsOf(read: unknown, raw: string | undefined, ours: Ours): ExecutionReport[] {
  const trade = fieldsOf(read, "a trade");
  const event = trade.text("event_type");
  if (event !== "" && event.toLowerCase() !== "trade") return [];
  if (trade.text("id") === "") throw new TypeError("a trade without id");
  const common = create(ExecutionReportSchema, {
    tradeId: trade.text("id"),
    status: trade.text("status"),
    market: trade.text("market"),
    transactionHash: trade.text("transaction_hash"),
    ...timesOf(trade),
    ...(ours.keepRaw && raw !== undefined && new TextEncoder().encode(raw).length <= maxRawBytes
      ? { rawJson: raw }
      : {}),
  });
  return [...takersOf(trade, common, ours), ...makersOf(trade, common, ours)];
}

function timesOf(trade: Fields): Pick<Partial<ExecutionReport>, "matchedAt" | "updatedAt"> {
  const matchedAt = trade.time("match_time", "match_time_nano");
  const updatedAt = trade.time("last_update", "timestamp");
  return { ...(matchedAt && { matchedAt }), ...(updatedAt && { updatedAt }) };
}

function takersOf(trade: Fields, common: ExecutionReport, ours: Ours): ExecutionReport[] {
  const orderId = trade.text("taker_order_id");
  if (orderId === "") return [];
  const traderSide = trade.text("trader_side").toUpperCase();
  // What a maker's trade says of its owner is said of the maker.
  const traceId = traceOf(orderId, traderSide === "MAKER" ? "" : trade.text("owner"), "", ours);
  const isTaker =
    traderSide === "TAKER" || (traderSide === "" && isOurAddress(trade.text("maker_address"), ours));
  if (traceId === undefined && !isTaker) return [];
  const report = filled(common, trade, orderId, traceId ?? "");
  return [Object.assign(report, { traderSide: "TAKER", size: trade.text("size") })];
}

function makersOf(trade: Fields, common: ExecutionReport, ours: Ours): ExecutionReport[] {
  return trade.list("maker_orders").flatMap((maker) => {
    const orderId = maker.text("order_id");
    const traceId = traceOf(orderId, maker.text("owner"), maker.text("maker_address"), ours);
    if (traceId === undefined) return [];
    // The side is the order's own: a maker may be on either side of a trade.
    const report = filled(common, maker, orderId, traceId);
    return [Object.assign(report, { traderSide: "MAKER", size: maker.text("matched_amount") })];
  });
}

function filled(common: ExecutionReport, order: Fields, orderId: string, traceId: string): ExecutionReport {
  return Object.assign(clone(ExecutionReportSchema, common), {
    orderId,
    traceId,
    assetId: order.text("asset_id"),
    outcome: order.text("outcome"),
    side: order.text("side").toUpperCase(),
    price: order.text("price"),
    feeRateBps: order.text("fee_rate_bps"),
    wallet: walletOf(order.text("maker_address")),
  });
}

function traceOf(orderId: string, owner: string, address: string, ours: Ours): string | undefined {
  const traceId = ours.trace?.(orderId);
  if (traceId !== undefined) return traceId;
  const isOurs = (owner !== "" && ours.apiKeys?.includes(owner)) || isOurAddress(address, ours);
  return isOurs ? "" : undefined;
}

function isOurAddress(address: string, { addresses = [] }: Ours): boolean {
  return address !== "" && addresses.some((one) => one.toLowerCase() === address.toLowerCase());
}

/** An address as it came; empty where it is none. */
function walletOf(address: string): string {
  return /^0x[0-9a-fA-F]{40}$/.test(address) ? address : "";
}
