import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type ParameterChange,
  ParameterChangeSchema,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import {
  type UserActionEntry,
  UserActionEntrySchema,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { type Connection, connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import {
  actionFilters,
  addFilterOptions,
  changeFilters,
  checkFilters,
  type FilterOptions,
} from "./filters.ts";
import { count } from "./output/count.ts";
import { jsonLine } from "./output/json.ts";
import { note, print } from "./output/stdout.ts";
import { type Column, createTable } from "./output/table.ts";

type ListOptions = ConnectionOptions & FilterOptions & { readonly limit: number; readonly json?: true };

export function listCommand(): Command {
  const command = new Command("list").description("List user actions or parameter changes, newest first.");
  addFilterOptions(command)
    .optionsGroup("Output:")
    .addOption(
      new Option("--limit <n>", 'at most this many, or "all"; pages are fetched as they are needed')
        .default(100)
        .argParser(limit),
    )
    .option("--json", "one record a line, as JSON")
    .action(list);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
A token with the role user lists summaries of its own wallet's actions.

Examples:
  governance list --action-type HALT --from 2026-05-09
  governance list --changes --bot risk.liquidityguard --limit all --json | jq -r .report.param_name`,
  );
}

function limit(value: string): number {
  if (value === "all") return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,9}$/.test(value))
    throw new InvalidArgumentError('It is not a whole number from 1, or "all".');
  return Number(value);
}

/** Records asked for at a time: at most 1,000 are allowed, and a record can have 64 KiB and more. */
const pageMax = 200;

type Page<Row> = { readonly rows: readonly Row[]; readonly nextPageToken: string };

async function list(options: ListOptions): Promise<void> {
  checkFilters(options);
  await connected(options, "compliance", (connection) =>
    options.changes
      ? listPages(
          changePages(connection, options),
          changeColumns,
          (row) => jsonLine(ParameterChangeSchema, row),
          options,
        )
      : listPages(
          actionPages(connection, options),
          actionColumns,
          (row) => jsonLine(UserActionEntrySchema, row),
          options,
        ),
  );
}

async function listPages<Row>(
  nextPage: (pageSize: number, pageToken: string) => Promise<Page<Row>>,
  columnsOf: (first: Row) => readonly Column<Row>[],
  json: (row: Row) => string,
  options: ListOptions,
): Promise<void> {
  let left = options.limit;
  let pageToken = "";
  let layOut: ((rows: readonly Row[]) => string) | undefined;
  do {
    const page = await nextPage(Math.min(left, pageMax), pageToken);
    const [first] = page.rows;
    if (first !== undefined) {
      layOut ??= createTable(columnsOf(first), process.stdout.columns ?? Number.POSITIVE_INFINITY);
      await print(options.json ? page.rows.map((row) => `${json(row)}\n`).join("") : layOut(page.rows));
    }
    left -= page.rows.length;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && left > 0);
  if (layOut === undefined) note(`no ${options.changes ? "parameter changes" : "user actions"} found`);
  if (pageToken !== "")
    note(`there are more than these ${count(options.limit)}; --limit all lists every one`);
}

function actionPages(connection: Connection, options: ListOptions) {
  const ledger = connection.client(UserActivityLedgerService);
  return async (pageSize: number, pageToken: string): Promise<Page<UserActionEntry>> => {
    const page = await ledger.listUserActions(
      { ...actionFilters(options), pageSize, pageToken },
      { timeoutMs: 30_000 },
    );
    return { rows: page.actions, nextPageToken: page.nextPageToken };
  };
}

function changePages(connection: Connection, options: ListOptions) {
  const auditor = connection.client(ParameterChangeAuditorService);
  return async (pageSize: number, pageToken: string): Promise<Page<ParameterChange>> => {
    const request = { ...changeFilters(options), pageSize, pageToken };
    const page = await auditor.listParameterChanges(request, { timeoutMs: 30_000 });
    return { rows: page.changes, nextPageToken: page.nextPageToken };
  };
}

function actionColumns(first: UserActionEntry): readonly Column<UserActionEntry>[] {
  const always: Column<UserActionEntry>[] = [
    { title: "RECORDED AT", maxWidth: 24, text: (row) => timeText(row.recordedAt) },
    { title: "ACTION", maxWidth: 40, text: (row) => row.actionType },
  ];
  // Who reads as a user gets summaries and no reports (R12).
  if (first.report === undefined)
    return [...always, { title: "SUMMARY", maxWidth: 200, text: (row) => row.summary }];
  return [
    ...always,
    { title: "WALLET", maxWidth: 42, text: (row) => row.report?.walletAddress ?? "" },
    { title: "SESSION", maxWidth: 28, text: (row) => row.report?.sessionId ?? "" },
    { title: "EVENT", maxWidth: 36, text: (row) => row.report?.eventId ?? "" },
    { title: "PARAMS", maxWidth: 200, text: (row) => row.report?.actionParamsJson ?? "" },
  ];
}

function changeColumns(): readonly Column<ParameterChange>[] {
  return [
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
}

function changeText({ report }: ParameterChange): string {
  return `${report?.oldValueJson ?? "(none)"} → ${report?.newValueJson ?? "(none)"}`;
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}
