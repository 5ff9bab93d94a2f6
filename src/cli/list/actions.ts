import {
  type UserActionEntry,
  UserActionEntrySchema,
} from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { situations } from "../../plainEnglish.ts";
import type { Connection } from "../connection/connection.ts";
import { actionFilters, type FilterOptions } from "../filters.ts";
import { jsonLine } from "../output/json.ts";
import type { Column } from "../output/table.ts";
import { callOptions, type Listing, timeText } from "./pages.ts";

export function actionListing(connection: Connection, options: FilterOptions): Listing<UserActionEntry> {
  const ledger = connection.client(UserActivityLedgerService);
  return {
    async nextPage(pageSize, pageToken) {
      const request = { ...actionFilters(options), pageSize, pageToken };
      const { actions, nextPageToken } = await ledger.listUserActions(request, callOptions);
      return { rows: actions, nextPageToken };
    },
    columnsOf,
    json: (row) => jsonLine(UserActionEntrySchema, row),
    noteBelow: (first) => (isSummary(first) ? situations.historyRequested.sentence : undefined),
  };
}

/** Who reads as a user gets summaries and no reports (R12). */
function isSummary(entry: UserActionEntry): boolean {
  return entry.report === undefined;
}

function columnsOf(first: UserActionEntry): readonly Column<UserActionEntry>[] {
  const always: Column<UserActionEntry>[] = [
    { title: "RECORDED AT", maxWidth: 24, text: (row) => timeText(row.recordedAt) },
    { title: "ACTION", maxWidth: 40, text: (row) => row.actionType },
  ];
  if (isSummary(first)) return [...always, { title: "SUMMARY", maxWidth: 200, text: (row) => row.summary }];
  return [
    ...always,
    { title: "WALLET", maxWidth: 42, text: (row) => row.report?.walletAddress ?? "" },
    { title: "SESSION", maxWidth: 28, text: (row) => row.report?.sessionId ?? "" },
    { title: "EVENT", maxWidth: 36, text: (row) => row.report?.eventId ?? "" },
    { title: "PARAMS", maxWidth: 200, text: (row) => row.report?.actionParamsJson ?? "" },
  ];
}
