import {
  type AccessLogEntry,
  AccessLogEntrySchema,
} from "../../../gen/ts/polytraders/governance/v1/access_log_pb.ts";
import { AccessLogService } from "../../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import type { Connection } from "../connection/connection.ts";
import { accessFilters, type FilterOptions } from "../filters.ts";
import { jsonLine } from "../output/json.ts";
import type { Column } from "../output/table.ts";
import { callOptions, type Listing, timeText } from "./pages.ts";

export function callListing(connection: Connection, options: FilterOptions): Listing<AccessLogEntry> {
  const accessLog = connection.client(AccessLogService);
  return {
    async nextPage(pageSize, pageToken) {
      const request = { ...accessFilters(options), pageSize, pageToken };
      const { calls, nextPageToken } = await accessLog.listAccessLog(request, callOptions);
      return { rows: calls, nextPageToken };
    },
    columnsOf: () => columns,
    json: (row) => jsonLine(AccessLogEntrySchema, row),
  };
}

const columns: readonly Column<AccessLogEntry>[] = [
  { title: "AT", maxWidth: 24, text: (row) => timeText(row.at) },
  { title: "SUBJECT", maxWidth: 28, text: (row) => row.subject },
  { title: "ROLES", maxWidth: 24, text: (row) => row.roles.join(" ") },
  { title: "METHOD", maxWidth: 56, text: (row) => row.method },
  { title: "OUTCOME", maxWidth: 24, text: (row) => row.outcome },
  { title: "ASKED FOR", maxWidth: 200, text: (row) => row.filtersJson },
];
