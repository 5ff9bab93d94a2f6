import {
  type FillEntry,
  FillEntrySchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import type { Connection } from "../connection/connection.ts";
import { type FilterOptions, fillFilters } from "../filters.ts";
import { jsonLine } from "../output/json.ts";
import type { Column } from "../output/table.ts";
import { callOptions, type Listing, timeText } from "./pages.ts";

export function fillListing(connection: Connection, options: FilterOptions): Listing<FillEntry> {
  const ledger = connection.client(UserActivityLedgerService);
  return {
    async nextPage(pageSize, pageToken) {
      const { fills, nextPageToken } = await ledger.listFills(
        { ...fillFilters(options), pageSize, pageToken },
        callOptions,
      );
      return { rows: fills, nextPageToken };
    },
    columnsOf: () => columns,
    json: (row) => jsonLine(FillEntrySchema, row),
  };
}

const columns: readonly Column<FillEntry>[] = [
  { title: "RECORDED AT", maxWidth: 24, text: (row) => timeText(row.recordedAt) },
  { title: "FILL", maxWidth: 60, text: (row) => row.fillId },
  { title: "STATUS", maxWidth: 9, text: (row) => row.report?.status ?? "" },
  { title: "SIDE", maxWidth: 4, text: (row) => row.report?.side ?? "" },
  { title: "SIZE", maxWidth: 24, text: (row) => row.report?.size ?? "" },
  { title: "PRICE", maxWidth: 24, text: (row) => row.report?.price ?? "" },
  { title: "LINKED TO", maxWidth: 200, text: (row) => row.linkedEventIds.join(" ") },
];
