import {
  type NumberRange,
  type SessionGap,
  SessionGapSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Connection } from "../connection/connection.ts";
import type { FilterOptions } from "../filters.ts";
import { jsonLine } from "../output/json.ts";
import type { Column } from "../output/table.ts";
import { callOptions, type Listing, timeText } from "./pages.ts";

export function gapListing(connection: Connection, options: FilterOptions): Listing<SessionGap> {
  const ledger = connection.client(UserActivityLedgerService);
  return {
    async nextPage(pageSize, pageToken) {
      const request = { sessionId: options.sessionId ?? "", pageSize, pageToken };
      const { gaps, nextPageToken } = await ledger.listSessionGaps(request, callOptions);
      return { rows: gaps, nextPageToken };
    },
    columnsOf: () => columns,
    json: (row) => jsonLine(SessionGapSchema, row),
  };
}

const columns: readonly Column<SessionGap>[] = [
  { title: "NOTICED AT", maxWidth: 24, text: (row) => timeText(row.detectedAt) },
  { title: "SESSION", maxWidth: 36, text: (row) => row.sessionId },
  { title: "MISSING", maxWidth: 200, text: (row) => rangesText(row.missing) },
];

/** For people: "3-5, 9". */
export function rangesText(ranges: readonly NumberRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(", ");
}
