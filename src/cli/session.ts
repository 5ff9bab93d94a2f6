import { Argument, Command } from "commander";
import {
  type FillEntry,
  type ListSessionActivityResponse,
  type SessionEntry,
  SessionEntrySchema,
  type UserActionEntry,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { rangesText } from "./list/gaps.ts";
import { callOptions, listPages, timeText } from "./list/pages.ts";
import { addOutputOptions, type OutputOptions } from "./list.ts";
import { shown } from "./output/cell.ts";
import { jsonLine } from "./output/json.ts";
import { note } from "./output/stdout.ts";
import type { Column } from "./output/table.ts";

export function sessionCommand(): Command {
  const command = new Command("session")
    .description("Tell the story of a session: its actions and their fills in order, oldest first.")
    .addArgument(new Argument("<session-id>", "the session"));
  addOutputOptions(command).action(session);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
Which numbered actions of the session are missing is said on stderr.

Examples:
  governance session sess_1
  governance session sess_1 --limit all --json | jq -c '.action.report.action_params, .fill.report'`,
  );
}

async function session(sessionId: string, options: ConnectionOptions & OutputOptions): Promise<void> {
  await connected(options, "compliance", async (connection) => {
    const ledger = connection.client(UserActivityLedgerService);
    let missing: ListSessionActivityResponse["missingSessionSeq"] = [];
    const listing = {
      async nextPage(pageSize: number, pageToken: string) {
        const page = await ledger.listSessionActivity({ sessionId, pageSize, pageToken }, callOptions);
        missing = page.missingSessionSeq;
        return { rows: page.entries, nextPageToken: page.nextPageToken };
      },
      columnsOf: () => columns,
      json: (row: SessionEntry) => jsonLine(SessionEntrySchema, row),
    };
    await listPages(listing, { ...options, name: `actions of the session ${shown(sessionId)}` });
    if (missing.length > 0) note(`missing from the session's numbered actions: ${rangesText(missing)}`);
  });
}

const columns: readonly Column<SessionEntry>[] = [
  { title: "RECORDED AT", maxWidth: 24, text: ({ entry }) => timeText(entry.value?.recordedAt) },
  { title: "NO", maxWidth: 19, text: ({ entry }) => (entry.case === "action" ? numberOf(entry.value) : "") },
  {
    title: "WHAT",
    maxWidth: 40,
    text: ({ entry }) =>
      told(
        entry,
        (it) => it.actionType,
        () => "fill",
      ),
  },
  {
    title: "ID",
    maxWidth: 48,
    text: ({ entry }) =>
      told(
        entry,
        (it) => it.report?.eventId ?? "",
        (it) => it.fillId,
      ),
  },
  { title: "STORY", maxWidth: 200, text: ({ entry }) => told(entry, (it) => it.summary, fillText) },
];

function told(
  entry: SessionEntry["entry"],
  ofAction: (action: UserActionEntry) => string,
  ofFill: (fill: FillEntry) => string,
): string {
  if (entry.case === "action") return ofAction(entry.value);
  return entry.case === "fill" ? ofFill(entry.value) : "";
}

/** The producer's number of the action; nothing where it does not number them. */
function numberOf({ report }: UserActionEntry): string {
  return report === undefined || report.sessionSeq === 0n ? "" : String(report.sessionSeq);
}

/** "MATCHED: BUY 10 at 0.52, after evt_1". What is not known is left out. */
function fillText({ report, linkedEventIds }: FillEntry): string {
  const trade = [report?.side, report?.size].filter(Boolean).join(" ");
  const price = report?.price ? `at ${report.price}` : "";
  const terms = [trade, price].filter(Boolean).join(" ");
  const after = linkedEventIds.length > 0 ? `after ${linkedEventIds.join(", ")}` : "";
  const rest = [terms, after].filter(Boolean).join(", ");
  return rest === "" ? (report?.status ?? "") : `${report?.status}: ${rest}`;
}
