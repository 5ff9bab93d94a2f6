import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { optionalText, optionalTimeMicros, timeRange } from "../../server/bounds.ts";
import { idMaxBytes } from "../action.ts";
import { walletOrIdentity } from "../identity.ts";
import { fillIdMaxBytes } from "./fillNames.ts";
import type { FillFilters } from "./read.ts";

/** The filters that listing and exporting fills share, every one inside its bound. */
export function parseFillFilters(request: {
  fillId: string;
  tradeId: string;
  orderId: string;
  traceId: string;
  wallet: string;
  fromTime?: Timestamp | undefined;
  toTime?: Timestamp | undefined;
}): FillFilters {
  const fromMicros = optionalTimeMicros("from_time", request.fromTime);
  const toMicros = optionalTimeMicros("to_time", request.toTime);
  timeRange(fromMicros, toMicros);
  return {
    fillId: optionalText("fill_id", request.fillId, fillIdMaxBytes),
    tradeId: optionalText("trade_id", request.tradeId, idMaxBytes),
    orderId: optionalText("order_id", request.orderId, idMaxBytes),
    traceId: optionalText("trace_id", request.traceId, idMaxBytes),
    wallet: request.wallet === "" ? null : walletOrIdentity("wallet", request.wallet),
    fromMicros,
    toMicros,
  };
}
