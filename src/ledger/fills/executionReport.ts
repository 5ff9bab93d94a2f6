import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type ExactJson, scanJson } from "../../exact/json.ts";
import { acceptJson, optionalText, optionalTimeNs, requiredWallet } from "../../server/bounds.ts";
import { invalidField } from "../../server/failure.ts";
import { idMaxBytes } from "../action.ts";
import { fillNames } from "./fillNames.ts";

/** An execution report as it came, every field inside its bound; null is absent. */
export type ExecutionReportContent = {
  /** The fill's name: the id that was sent, else the one made of trade and order. */
  readonly fillId: string;
  /** The made name of a fill that has trade and order; its other name where an id was sent too. */
  readonly madeFillId: string | null;
  readonly sentFillId: string | null;
  readonly tradeId: string | null;
  readonly orderId: string | null;
  readonly traceId: string | null;
  /** In the form it came; compares in lower case. */
  readonly wallet: string | null;
  /** Without the prefix TRADE_STATUS_. */
  readonly status: string;
  readonly market: string | null;
  readonly assetId: string | null;
  readonly side: string | null;
  readonly size: string | null;
  readonly price: string | null;
  readonly feeRateBps: string | null;
  readonly outcome: string | null;
  readonly traderSide: string | null;
  readonly transactionHash: string | null;
  readonly matchedAtNs: bigint | null;
  readonly updatedAtNs: bigint | null;
  readonly raw: ExactJson | null;
};

/** The fields that RecordExecutionReportRequest and ExecutionReport share. */
export type ExecutionReportFields = {
  fillId: string;
  tradeId: string;
  orderId: string;
  traceId: string;
  wallet: string;
  status: string;
  market: string;
  assetId: string;
  side: string;
  size: string;
  price: string;
  feeRateBps: string;
  outcome: string;
  traderSide: string;
  transactionHash: string;
  matchedAt?: Timestamp | undefined;
  updatedAt?: Timestamp | undefined;
  rawJson?: string | undefined;
};

const outcomeMaxBytes = 256;
const assetIdMaxDigits = 78;
const decimalMaxDigits = 80;
const rawLimits = { maxBytes: 64 * 1024, maxDepth: 32, root: "any" } as const;
const statusPrefix = "TRADE_STATUS_";
const statuses: readonly string[] = ["MATCHED", "MINED", "CONFIRMED", "RETRYING", "FAILED"];

/** Checks a report's fields. `path` is put before a field's name in errors, e.g. "reports[3].". */
export function parseExecutionReport(fields: ExecutionReportFields, path: string): ExecutionReportContent {
  const id = (name: string, value: string) => optionalText(`${path}${name}`, value, idMaxBytes);
  const amount = (name: string, value: string) => optionalDecimal(`${path}${name}`, value);
  const names = fillNames(
    id("fill_id", fields.fillId),
    id("trade_id", fields.tradeId),
    id("order_id", fields.orderId),
    path,
  );
  return {
    ...names,
    traceId: id("trace_id", fields.traceId),
    wallet: fields.wallet === "" ? null : requiredWallet(`${path}wallet`, fields.wallet),
    status: statusOf(`${path}status`, fields.status),
    market: id("market", fields.market),
    assetId: optionalAssetId(`${path}asset_id`, fields.assetId),
    side: optionalWord(`${path}side`, fields.side, ["BUY", "SELL"]),
    size: amount("size", fields.size),
    price: amount("price", fields.price),
    feeRateBps: amount("fee_rate_bps", fields.feeRateBps),
    outcome: optionalText(`${path}outcome`, fields.outcome, outcomeMaxBytes),
    traderSide: optionalWord(`${path}trader_side`, fields.traderSide, ["TAKER", "MAKER"]),
    transactionHash: id("transaction_hash", fields.transactionHash),
    matchedAtNs: optionalTimeNs(`${path}matched_at`, fields.matchedAt),
    updatedAtNs: optionalTimeNs(`${path}updated_at`, fields.updatedAt),
    raw:
      fields.rawJson === undefined
        ? null
        : acceptJson(`${path}raw_json`, scanJson(fields.rawJson, rawLimits)).value,
  };
}

function statusOf(field: string, value: string): string {
  if (value === "") return "MATCHED";
  const status = value.startsWith(statusPrefix) ? value.slice(statusPrefix.length) : value;
  if (statuses.includes(status)) return status;
  throw invalidField(field, `must be one of ${statuses.join(", ")}, with or without ${statusPrefix}`);
}

function optionalWord(field: string, value: string, words: readonly string[]): string | null {
  if (value === "") return null;
  if (words.includes(value)) return value;
  throw invalidField(field, `must be ${words.join(" or ")}`);
}

function optionalAssetId(field: string, value: string): string | null {
  if (value === "") return null;
  if (value.length <= assetIdMaxDigits && /^\d+$/.test(value)) return value;
  throw invalidField(field, `must be 1 to ${assetIdMaxDigits} decimal digits`);
}

/** A decimal as text, digit for digit: these are amounts, and a double would change them. */
function optionalDecimal(field: string, value: string): string | null {
  if (value === "") return null;
  const digits = value.includes(".") ? value.length - 1 : value.length;
  if (digits <= decimalMaxDigits && /^\d+(\.\d+)?$/.test(value)) return value;
  throw invalidField(field, `must be a decimal of at most ${decimalMaxDigits} digits, e.g. 0.52`);
}
