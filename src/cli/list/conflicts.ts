import {
  type EventConflict,
  EventConflictSchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Connection } from "../connection/connection.ts";
import { conflictFilters, type FilterOptions } from "../filters.ts";
import { jsonLine } from "../output/json.ts";
import type { Column } from "../output/table.ts";
import { callOptions, type Listing, timeText } from "./pages.ts";

export function conflictListing(connection: Connection, options: FilterOptions): Listing<EventConflict> {
  const ledger = connection.client(UserActivityLedgerService);
  return {
    async nextPage(pageSize, pageToken) {
      const request = { ...conflictFilters(options), pageSize, pageToken };
      const { conflicts, nextPageToken } = await ledger.listEventConflicts(request, callOptions);
      return { rows: conflicts, nextPageToken };
    },
    columnsOf: () => columns,
    json: (row) => jsonLine(EventConflictSchema, row),
  };
}

const columns: readonly Column<EventConflict>[] = [
  { title: "REFUSED AT", maxWidth: 24, text: (row) => timeText(row.refusedAt) },
  { title: "EVENT", maxWidth: 36, text: (row) => row.eventId },
  { title: "FROM", maxWidth: 24, text: (row) => row.refusedFrom },
  { title: "RECORD THAT STANDS", maxWidth: 50, text: (row) => row.recordedReportId },
  { title: "REFUSED ACTION", maxWidth: 40, text: (row) => row.refused?.actionType ?? "" },
  { title: "WALLET", maxWidth: 42, text: (row) => row.refused?.wallet ?? "" },
  { title: "SESSION", maxWidth: 28, text: (row) => row.refused?.sessionId ?? "" },
  { title: "PARAMS", maxWidth: 200, text: (row) => row.refused?.paramsJson ?? "" },
];
