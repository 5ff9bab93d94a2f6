import { invalidField } from "../../server/failure.ts";

/** Bytes of a fill's name at most: one made of two ids of 128 bytes, each of the first one's escaped. */
export const fillIdMaxBytes = 3 * 128 + 1 + 128;

/** What a fill is called: by its own id, or as an order of ours in a trade. Needs one of the two. */
export function fillNames(
  sentFillId: string | null,
  tradeId: string | null,
  orderId: string | null,
  path: string,
) {
  const madeFillId = tradeId === null || orderId === null ? null : madeOf(tradeId, orderId);
  const fillId = sentFillId ?? madeFillId;
  if (fillId !== null) return { fillId, madeFillId, sentFillId, tradeId, orderId };
  if (tradeId === null && orderId === null) {
    throw invalidField(`${path}fill_id`, "is required, or trade_id and order_id: they name the fill");
  }
  const missing = tradeId === null ? "trade_id" : "order_id";
  throw invalidField(`${path}${missing}`, "is required without fill_id: trade_id and order_id name the fill");
}

/** trade_id, a colon and order_id. A colon of the trade's own is escaped, or two fills could share a name. */
function madeOf(tradeId: string, orderId: string): string {
  return `${tradeId.replaceAll("%", "%25").replaceAll(":", "%3A")}:${orderId}`;
}
