import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type ExportParameterChangesRequestSchema,
  Verdict,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type { ExportUserActionsRequestSchema } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { tiers } from "../auditor/tiers.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { timeOption, wallet } from "./values.ts";

/** What list and export restrict their records by. */
export type FilterOptions = {
  readonly changes?: true;
  readonly wallet?: string;
  readonly sessionId?: string;
  readonly traceId?: string;
  readonly actionType?: string;
  readonly bot?: string;
  readonly param?: string;
  readonly editor?: string;
  readonly tier?: string;
  readonly verdict?: Verdict;
  readonly ticket?: string;
  readonly from?: ReturnType<typeof timeOption>;
  readonly to?: ReturnType<typeof timeOption>;
};

const ofActions = [
  ["wallet", "--wallet"],
  ["sessionId", "--session-id"],
  ["traceId", "--trace-id"],
  ["actionType", "--action-type"],
] as const;
const ofChanges = [
  ["bot", "--bot"],
  ["param", "--param"],
  ["editor", "--editor"],
  ["tier", "--tier"],
  ["verdict", "--verdict"],
  ["ticket", "--ticket"],
] as const;

/** Adds the options that choose records. */
export function addFilterOptions(command: Command): Command {
  return command
    .optionsGroup("Which records:")
    .option("--changes", "parameter changes (default: user actions)")
    .option("--from <time>", "accepted at or after, e.g. 2026-05-09 or 2026-05-09T10:00:00Z", timeOption)
    .option("--to <time>", "accepted before", timeOption)
    .optionsGroup("User actions only:")
    .option("--wallet <0x…>", "of this wallet", wallet)
    .option("--session-id <id>", "of this session")
    .option("--trace-id <id>", "of this trace")
    .option("--action-type <TYPE>", "of this kind, e.g. HALT")
    .optionsGroup("Parameter changes only:")
    .option("--bot <slug>", "of this bot")
    .option("--param <name>", "of this parameter")
    .option("--editor <id>", "by this editor")
    .addOption(new Option("--tier <tier>", "of this tier").choices(tiers))
    .addOption(new Option("--verdict <verdict>", "ALLOW or REJECT").argParser(verdict))
    .option("--ticket <ref>", "under this ticket");
}

function verdict(value: string): Verdict {
  if (value === "ALLOW") return Verdict.ALLOW;
  if (value === "REJECT") return Verdict.REJECT;
  throw new InvalidArgumentError("Allowed choices are ALLOW, REJECT.");
}

/** Refuses a filter of the records that were not asked for: ignoring it would answer another question. */
export function checkFilters(options: FilterOptions): void {
  const foreign = (options.changes ? ofActions : ofChanges).find(([key]) => options[key] !== undefined);
  if (foreign === undefined) return;
  const kind = options.changes ? "user actions: leave out --changes" : "parameter changes: add --changes";
  throw new CliError(exitCodes.usage, `${foreign[1]} is a filter of ${kind}`);
}

/** The filters of ListUserActions and ExportUserActions. */
export function actionFilters(
  options: FilterOptions,
): Omit<MessageInitShape<typeof ExportUserActionsRequestSchema>, "$typeName" | "resumeToken"> {
  return {
    wallet: options.wallet ?? "",
    sessionId: options.sessionId ?? "",
    traceId: options.traceId ?? "",
    actionType: options.actionType ?? "",
    ...times(options),
  };
}

/** The filters of ListParameterChanges and ExportParameterChanges. */
export function changeFilters(
  options: FilterOptions,
): Omit<MessageInitShape<typeof ExportParameterChangesRequestSchema>, "$typeName" | "resumeToken"> {
  return {
    botSlug: options.bot ?? "",
    paramName: options.param ?? "",
    editorId: options.editor ?? "",
    paramTier: options.tier ?? "",
    verdict: options.verdict ?? Verdict.UNSPECIFIED,
    ticketRef: options.ticket ?? "",
    ...times(options),
  };
}

function times({ from, to }: FilterOptions) {
  return { ...(from === undefined ? {} : { fromTime: from }), ...(to === undefined ? {} : { toTime: to }) };
}
