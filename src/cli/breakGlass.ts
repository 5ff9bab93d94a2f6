import { Command } from "commander";
import {
  type BreakGlassReview,
  type BreakGlassUse,
  BreakGlassUseSchema,
  ReviewBreakGlassResponseSchema,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { type Connection, connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { callOptions, type Listing, listPages, timeText } from "./list/pages.ts";
import { addOutputOptions, type OutputOptions } from "./list.ts";
import { shown } from "./output/cell.ts";
import { jsonLine } from "./output/json.ts";
import { note, printLine } from "./output/stdout.ts";
import type { Column } from "./output/table.ts";

type ListOptions = ConnectionOptions & OutputOptions & { readonly reviewedToo?: true };
type ReviewOptions = ConnectionOptions & { readonly comment: string; readonly json?: true };

/** `governance break-glass list|review`. */
export function breakGlassCommand(): Command {
  const breakGlass = new Command("break-glass")
    .description("Review the writes that were let through in an emergency without a ticket.")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Examples:
  governance break-glass list
  governance break-glass review 01M7YY503Q7ZAHB3GPABRCZKVM --comment "agreed with the desk; PTRD-1050 follows it up"`,
    );
  for (const command of [listCommand(), reviewCommand()]) breakGlass.addCommand(command);
  return breakGlass;
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List the uses of break-glass that nobody has reviewed yet, newest first.")
    .option("--reviewed-too", "also those that were reviewed");
  return addConnectionOptions(addOutputOptions(command).action(list), "compliance");
}

function reviewCommand(): Command {
  const command = new Command("review")
    .description("Review somebody else's use of break-glass. The first review stands.")
    .argument("<decision-id>", "the decision, as the list shows it")
    .requiredOption("--comment <text>", "what came out of it")
    .option("--json", "the review as JSON")
    .action(review);
  return addConnectionOptions(command, "compliance");
}

async function list(options: ListOptions): Promise<void> {
  const { limit, json, reviewedToo = false } = options;
  const name = reviewedToo ? "uses of break-glass" : "open uses of break-glass";
  await connected(options, "compliance", (connection) =>
    listPages(useListing(connection, reviewedToo), { limit, name, ...(json ? { json } : {}) }),
  );
}

function useListing(connection: Connection, reviewedToo: boolean): Listing<BreakGlassUse> {
  const auditor = connection.client(ParameterChangeAuditorService);
  return {
    async nextPage(pageSize, pageToken) {
      const request = { pageSize, pageToken, reviewedToo };
      const { uses, nextPageToken } = await auditor.listBreakGlass(request, callOptions);
      return { rows: uses, nextPageToken };
    },
    columnsOf: () =>
      reviewedToo ? [...useColumns, ...reviewColumns, reasonColumn] : [...useColumns, reasonColumn],
    json: (row) => jsonLine(BreakGlassUseSchema, row),
  };
}

const useColumns: readonly Column<BreakGlassUse>[] = [
  { title: "DECISION", maxWidth: 26, text: ({ change }) => change?.report?.decisionId ?? "" },
  { title: "CHANGED AT", maxWidth: 24, text: ({ change }) => timeText(change?.report?.changedAt) },
  { title: "BOT", maxWidth: 28, text: ({ change }) => change?.report?.auditedBot ?? "" },
  { title: "PARAMETER", maxWidth: 36, text: ({ change }) => change?.report?.paramName ?? "" },
  { title: "TIER", maxWidth: 4, text: ({ change }) => change?.report?.paramTier ?? "" },
  { title: "BY", maxWidth: 24, text: ({ change }) => change?.report?.recordedBy ?? "" },
  { title: "EDITOR", maxWidth: 24, text: ({ change }) => change?.report?.editorId ?? "" },
];

const reviewColumns: readonly Column<BreakGlassUse>[] = [
  { title: "REVIEWED BY", maxWidth: 24, text: ({ review }) => review?.reviewedBy ?? "" },
  { title: "COMMENT", maxWidth: 60, text: ({ review }) => review?.comment ?? "" },
];

const reasonColumn: Column<BreakGlassUse> = {
  title: "REASON",
  maxWidth: 200,
  text: ({ change }) => change?.breakGlassReason ?? "",
};

async function review(decisionId: string, options: ReviewOptions): Promise<void> {
  const { comment, json } = options;
  const response = await connected(options, "compliance", (connection) =>
    connection
      .client(ParameterChangeAuditorService)
      .reviewBreakGlass({ decisionId, comment }, { timeoutMs: callOptions.timeoutMs }),
  );
  const { review: onRecord } = response;
  if (onRecord === undefined) throw new CliError(exitCodes.refused, "the service answered no review");
  await printLine(
    json ? jsonLine(ReviewBreakGlassResponseSchema, response) : reviewText(decisionId, onRecord),
  );
  if (onRecord.comment !== comment) note("it was reviewed before, and the first review stands");
}

function reviewText(decisionId: string, { reviewedAt, reviewedBy, comment }: BreakGlassReview): string {
  return `${shown(decisionId)}  reviewed ${timeText(reviewedAt)} by ${shown(reviewedBy)}: ${shown(comment)}`;
}
