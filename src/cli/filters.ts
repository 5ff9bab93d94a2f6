import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExportAccessLogRequestSchema } from "../../gen/ts/polytraders/governance/v1/access_log_pb.ts";
import {
  type ExportParameterChangesRequestSchema,
  Verdict,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import type {
  ExportFillsRequestSchema,
  ExportUserActionsRequestSchema,
  ListEventConflictsRequestSchema,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { tiers } from "../auditor/tiers.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { timeOption, walletFilter } from "./values.ts";

/** What list and export can be asked for, as errors call it. All but user actions have an option of their own. */
export const kindNames = {
  actions: "user actions",
  fills: "fills",
  changes: "parameter changes",
  conflicts: "refused events",
  gaps: "session gaps",
  access: "calls of the access log",
} as const;
export type Kind = keyof typeof kindNames;

const kindOptions = {
  fills: ["--fills", "fills, each with its later statuses"],
  changes: ["--changes", "parameter changes (default: user actions)"],
  conflicts: ["--conflicts", "events that were refused because their id was taken by other content"],
  gaps: ["--gaps", "sessions in which numbered actions are missing"],
  access: ["--access", "calls that read records, from the access log"],
} as const satisfies Record<Exclude<Kind, "actions">, readonly [string, string]>;

/** What list and export restrict their records by. */
export type FilterOptions = { readonly [kind in keyof typeof kindOptions]?: true } & {
  readonly wallet?: string;
  readonly sessionId?: string;
  readonly traceId?: string;
  readonly actionType?: string;
  readonly fillId?: string;
  readonly tradeId?: string;
  readonly orderId?: string;
  readonly bot?: string;
  readonly param?: string;
  readonly editor?: string;
  readonly tier?: string;
  readonly verdict?: Verdict;
  readonly ticket?: string;
  readonly eventId?: string;
  readonly subject?: string;
  readonly method?: string;
  readonly outcome?: string;
  readonly from?: ReturnType<typeof timeOption>;
  readonly to?: ReturnType<typeof timeOption>;
};

type Filter = {
  readonly key: Exclude<keyof FilterOptions, Kind>;
  /** Which records it restricts. */
  readonly of: readonly Kind[];
  readonly option: () => Option;
};

const filters: readonly Filter[] = [
  {
    key: "from",
    of: ["actions", "fills", "changes", "conflicts", "access"],
    option: () =>
      new Option("--from <time>", "accepted at or after, e.g. 2026-05-09 or 2026-05-09T10:00:00Z").argParser(
        timeOption,
      ),
  },
  {
    key: "to",
    of: ["actions", "fills", "changes", "conflicts", "access"],
    option: () => new Option("--to <time>", "accepted before").argParser(timeOption),
  },
  {
    key: "sessionId",
    of: ["actions", "gaps"],
    option: () => new Option("--session-id <id>", "of this session"),
  },
  {
    key: "wallet",
    of: ["actions", "fills"],
    option: () =>
      new Option("--wallet <0x…>", "of this wallet, or of what stands for it").argParser(walletFilter),
  },
  {
    key: "traceId",
    of: ["actions", "fills"],
    option: () => new Option("--trace-id <id>", "of this trace"),
  },
  {
    key: "actionType",
    of: ["actions"],
    option: () => new Option("--action-type <TYPE>", "of this kind, e.g. HALT"),
  },
  {
    key: "fillId",
    of: ["fills"],
    option: () => new Option("--fill-id <id>", "of this fill, by any name of its"),
  },
  {
    key: "tradeId",
    of: ["fills"],
    option: () => new Option("--trade-id <id>", "of this trade of the venue"),
  },
  { key: "orderId", of: ["fills"], option: () => new Option("--order-id <id>", "of this order") },
  { key: "bot", of: ["changes"], option: () => new Option("--bot <slug>", "of this bot") },
  { key: "param", of: ["changes"], option: () => new Option("--param <name>", "of this parameter") },
  { key: "editor", of: ["changes"], option: () => new Option("--editor <id>", "by this editor") },
  { key: "tier", of: ["changes"], option: () => new Option("--tier <tier>", "of this tier").choices(tiers) },
  {
    key: "verdict",
    of: ["changes"],
    option: () => new Option("--verdict <verdict>", "ALLOW or REJECT").argParser(verdict),
  },
  { key: "ticket", of: ["changes"], option: () => new Option("--ticket <ref>", "under this ticket") },
  { key: "eventId", of: ["conflicts"], option: () => new Option("--event-id <id>", "of this event id") },
  { key: "subject", of: ["access"], option: () => new Option("--subject <sub>", "by this token's subject") },
  {
    key: "method",
    of: ["access"],
    option: () =>
      new Option("--method <Service/Method>", "of this method, e.g. AccessLogService/ListAccessLog"),
  },
  {
    key: "outcome",
    of: ["access"],
    option: () => new Option("--outcome <outcome>", "ALLOWED, or the reason of the refusal"),
  },
];

/** Adds the options that choose among records of these kinds. */
export function addFilterOptions(command: Command, kinds: readonly Kind[]): Command {
  command.optionsGroup("Which records:");
  for (const kind of kinds) {
    if (kind === "actions") continue;
    const [flag, description] = kindOptions[kind];
    command.option(flag, description);
  }
  for (const { of, option } of filters) {
    const restricted = of.filter((kind) => kinds.includes(kind));
    if (restricted.length === 0) continue;
    command.addOption(option().helpGroup(helpGroup(restricted)));
  }
  return command;
}

/** "User actions and session gaps only:", or with the kinds where one of two is enough. */
function helpGroup(of: readonly Kind[]): string {
  if (of.length > 2) return "Which records:";
  const names = of.map((kind) => kindNames[kind]).join(" and ");
  return `${names.charAt(0).toUpperCase()}${names.slice(1)} only:`;
}

function verdict(value: string): Verdict {
  if (value === "ALLOW") return Verdict.ALLOW;
  if (value === "REJECT") return Verdict.REJECT;
  throw new InvalidArgumentError("Allowed choices are ALLOW, REJECT.");
}

/**
 * What is asked for. Refuses two kinds at once, and a filter of other records than those that were asked
 * for: ignoring it would answer another question.
 */
export function kindOf(options: FilterOptions): Kind {
  const [asked, second] = (["fills", "changes", "conflicts", "gaps", "access"] as const).filter(
    (kind) => options[kind],
  );
  if (asked !== undefined && second !== undefined) {
    throw new CliError(exitCodes.usage, `--${asked} and --${second} are different records: leave one out`);
  }
  const kind = asked ?? "actions";
  const foreign = filters.find(({ key, of }) => options[key] !== undefined && !of.includes(kind));
  if (foreign === undefined) return kind;
  const names = foreign.of.map((one) => kindNames[one]).join(", ");
  throw new CliError(
    exitCodes.usage,
    `${foreign.option().long} is a filter of ${names}: ${advice(foreign.of, kind)}`,
  );
}

function advice([right = "actions"]: readonly Kind[], kind: Kind): string {
  if (right === "actions") return `leave out --${kind}`;
  return kind === "actions" ? `add --${right}` : `say --${right} in place of --${kind}`;
}

/** A request without what says where to go on. */
type Init<S extends DescMessage> = Omit<
  MessageInitShape<S>,
  "$typeName" | "resumeToken" | "pageToken" | "pageSize"
>;

/** The filters of ListUserActions and ExportUserActions. */
export function actionFilters(options: FilterOptions): Init<typeof ExportUserActionsRequestSchema> {
  return {
    wallet: options.wallet ?? "",
    sessionId: options.sessionId ?? "",
    traceId: options.traceId ?? "",
    actionType: options.actionType ?? "",
    ...times(options),
  };
}

/** The filters of ListFills and ExportFills. */
export function fillFilters(options: FilterOptions): Init<typeof ExportFillsRequestSchema> {
  return {
    fillId: options.fillId ?? "",
    tradeId: options.tradeId ?? "",
    orderId: options.orderId ?? "",
    traceId: options.traceId ?? "",
    wallet: options.wallet ?? "",
    ...times(options),
  };
}

/** The filters of ListParameterChanges and ExportParameterChanges. */
export function changeFilters(options: FilterOptions): Init<typeof ExportParameterChangesRequestSchema> {
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

/** The filters of ListEventConflicts. */
export function conflictFilters(options: FilterOptions): Init<typeof ListEventConflictsRequestSchema> {
  return { eventId: options.eventId ?? "", ...times(options) };
}

/** The filters of ListAccessLog and ExportAccessLog. */
export function accessFilters(options: FilterOptions): Init<typeof ExportAccessLogRequestSchema> {
  return {
    subject: options.subject ?? "",
    method: options.method ?? "",
    outcome: options.outcome ?? "",
    ...times(options),
  };
}

function times({ from, to }: FilterOptions) {
  return { ...(from === undefined ? {} : { fromTime: from }), ...(to === undefined ? {} : { toTime: to }) };
}
