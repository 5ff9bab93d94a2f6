import { Command, InvalidArgumentError, Option } from "commander";
import { type Connection, connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { addFilterOptions, type FilterOptions, type Kind, kindNames, kindOf } from "./filters.ts";
import { actionListing } from "./list/actions.ts";
import { callListing } from "./list/calls.ts";
import { changeListing } from "./list/changes.ts";
import { conflictListing } from "./list/conflicts.ts";
import { fillListing } from "./list/fills.ts";
import { gapListing } from "./list/gaps.ts";
import { listPages } from "./list/pages.ts";

export type OutputOptions = { readonly limit: number; readonly json?: true };
type ListOptions = ConnectionOptions &
  FilterOptions &
  OutputOptions & { readonly unconfirmed?: true; readonly ungated?: true };

export function listCommand(): Command {
  const command = new Command("list").description(
    "List user actions, fills, parameter changes and what belongs to them, newest first; session gaps by session.",
  );
  addFilterOptions(command, ["actions", "fills", "changes", "conflicts", "gaps", "access"]);
  for (const option of changeStates()) command.addOption(option.helpGroup("Parameter changes only:"));
  addOutputOptions(command).action(list);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
A token with the role user lists summaries of its own wallet's actions.

Examples:
  governance list --action-type HALT --from 2026-05-09
  governance list --changes --bot risk.liquidityguard --limit all --json | jq -r .report.param_name
  governance list --changes --unconfirmed --bot risk.liquidityguard
  governance list --access --outcome WALLET_NOT_ALLOWED`,
  );
}

/** What became of changes: a list tells it as it is now, which an export cannot. */
function changeStates(): readonly Option[] {
  return [
    new Option("--unconfirmed", "allowed, and nobody said what became of them"),
    new Option("--ungated", "made without a verdict"),
  ];
}

/** Adds how much is printed and how. */
export function addOutputOptions(command: Command): Command {
  return command
    .optionsGroup("Output:")
    .addOption(
      new Option("--limit <n>", 'at most this many, or "all"; pages are fetched as they are needed')
        .default(100)
        .argParser(limit),
    )
    .option("--json", "one record a line, as JSON");
}

function limit(value: string): number {
  if (value === "all") return Number.POSITIVE_INFINITY;
  if (!/^[1-9]\d{0,9}$/.test(value))
    throw new InvalidArgumentError('It is not a whole number from 1, or "all".');
  return Number(value);
}

async function list(options: ListOptions): Promise<void> {
  const kind = kindOf(options);
  if (kind !== "changes" && (options.unconfirmed || options.ungated)) {
    const option = options.unconfirmed ? "--unconfirmed" : "--ungated";
    throw new CliError(exitCodes.usage, `${option} is a filter of ${kindNames.changes}: add --changes`);
  }
  await connected(options, "compliance", (connection) => listKind(kind, connection, options));
}

function listKind(kind: Kind, connection: Connection, options: ListOptions): Promise<void> {
  const { limit, json } = options;
  const output = { limit, name: kindNames[kind], ...(json ? { json } : {}) };
  switch (kind) {
    case "actions":
      return listPages(actionListing(connection, options), output);
    case "fills":
      return listPages(fillListing(connection, options), output);
    case "changes":
      return listPages(changeListing(connection, options), output);
    case "conflicts":
      return listPages(conflictListing(connection, options), output);
    case "gaps":
      return listPages(gapListing(connection, options), output);
    case "access":
      return listPages(callListing(connection, options), output);
  }
}
