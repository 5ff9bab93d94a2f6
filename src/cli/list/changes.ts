import {
  type ParameterChange,
  ParameterChangeSchema,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import type { Connection } from "../connection/connection.ts";
import { changeFilters, type FilterOptions } from "../filters.ts";
import { jsonLine } from "../output/json.ts";
import type { Column } from "../output/table.ts";
import { callOptions, type Listing, timeText } from "./pages.ts";

export function changeListing(
  connection: Connection,
  options: FilterOptions & { readonly unconfirmed?: true; readonly ungated?: true },
): Listing<ParameterChange> {
  const auditor = connection.client(ParameterChangeAuditorService);
  return {
    async nextPage(pageSize, pageToken) {
      const { unconfirmed = false, ungated = false } = options;
      const request = { ...changeFilters(options), unconfirmed, ungated, pageSize, pageToken };
      const { changes, nextPageToken } = await auditor.listParameterChanges(request, callOptions);
      return { rows: changes, nextPageToken };
    },
    columnsOf: () => columns,
    json: (row) => jsonLine(ParameterChangeSchema, row),
  };
}

const columns: readonly Column<ParameterChange>[] = [
  { title: "CHANGED AT", maxWidth: 24, text: (row) => timeText(row.report?.changedAt) },
  { title: "BOT", maxWidth: 28, text: (row) => row.report?.auditedBot ?? "" },
  { title: "PARAMETER", maxWidth: 36, text: (row) => row.report?.paramName ?? "" },
  { title: "TIER", maxWidth: 4, text: (row) => row.report?.paramTier ?? "" },
  { title: "VERDICT", maxWidth: 7, text: (row) => row.report?.verdict ?? "" },
  { title: "ALLOWED", maxWidth: 7, text: (row) => (row.allowed ? "yes" : "no") },
  { title: "EDITOR", maxWidth: 24, text: (row) => row.report?.editorId ?? "" },
  { title: "TICKET", maxWidth: 24, text: (row) => row.report?.ticketRef ?? "" },
  { title: "OLD → NEW", maxWidth: 200, text: changeText },
];

function changeText({ report }: ParameterChange): string {
  return `${report?.oldValueJson ?? "(none)"} → ${report?.newValueJson ?? "(none)"}`;
}
