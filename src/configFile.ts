import { readFileSync } from "node:fs";
import { parse, YAMLParseError } from "yaml";
import { z } from "zod";
import { alertSettings } from "./alerts/settings.ts";
import { parsePattern, tiers } from "./auditor/tiers.ts";
import { StartupError } from "./startupError.ts";
import { ticketSettings } from "./tickets/settings.ts";

const mode = z.enum(["shadow_only", "enforce"]);
const tier = z.enum(tiers);
const days = z.int().min(1).max(36_500);

const pattern = z
  .string()
  .min(1)
  .max(640)
  .refine((text) => parsePattern(text).literals > 0 || text === "*", {
    message: 'must be a "bot_slug.param_name" pattern, e.g. "risk.*.max_position_pusd"',
  });

const ledger = z.strictObject({
  mode: mode.default("shadow_only"),
  retain_days: days.default(2555),
  export_format: z.literal("jsonl").default("jsonl"),
  scrub_on_account_close: z.boolean().default(false),
  publish_to_user: z.boolean().default(true),
});

const auditor = z.strictObject({
  mode: mode.default("shadow_only"),
  retain_history_days: days.default(365),
  require_ticket_for: z.array(tier).default(["P0", "P1"]),
  publish_to_audit_log: z.boolean().default(true),
  alert_on_p0_change: z.boolean().default(true),
});

/** Whose writes to which parameters are automation (R16): by the token's subject, which cannot be claimed. */
const automation = z.strictObject({
  subject: z.string().min(1).max(256),
  pattern,
});

/** The two bots' own parameters (spec 001 and 002 §6, §8): what the file may set, and UpdateBotConfig. */
export const botParameters = {
  "gov.useractivityledger": ledger,
  "gov.parameterchangeauditor": auditor,
} as const;
export type BotId = keyof typeof botParameters;

export function isBotId(text: string): text is BotId {
  return Object.hasOwn(botParameters, text);
}

/** The names of a bot's parameters. */
export function parameterNames(botId: BotId): readonly string[] {
  return Object.keys(botParameters[botId].shape);
}

/** What is wrong with a value of one of the bot's parameters; undefined when nothing is. */
export function valueProblem(botId: BotId, paramName: string, value: unknown): string | undefined {
  const shape: Readonly<Record<string, z.ZodType>> = botParameters[botId].shape;
  const schema = Object.hasOwn(shape, paramName) ? shape[paramName] : undefined;
  if (schema === undefined) return `${botId} has no parameter of this name`;
  const issue = schema.safeParse(value).error?.issues[0];
  if (issue === undefined) return undefined;
  return issue.path.length === 0 ? issue.message : `at ${issue.path.map(String).join(".")}: ${issue.message}`;
}

const file = z.strictObject({
  "gov.useractivityledger": ledger.prefault({}),
  "gov.parameterchangeauditor": auditor.prefault({}),
  tiers: z.record(pattern, tier).default({}),
  stopping: z.array(pattern).default([]),
  automation: z.array(automation).default([]),
  tickets: ticketSettings.default({}),
  alerts: alertSettings.prefault({}),
  secrets: z.array(pattern).default([]),
});

/** The config file as the contract prints it, every key present. */
export type ConfigFile = z.infer<typeof file>;

/** The parameters that the file sets; the others have the specification's defaults. */
export type ConfigFileKeys = { readonly [bot: string]: ReadonlySet<string> };

/** A config file without mistakes. */
export type LoadedFile = { readonly values: ConfigFile; readonly set: ConfigFileKeys };

/**
 * Reads the YAML or JSON config file; without a path, the defaults. A mistake stops the start: the
 * error names the file, the key's path, and what would be right.
 */
export function loadConfigFile(path: string | undefined): LoadedFile {
  let text = "";
  try {
    if (path !== undefined) text = readFileSync(path, "utf8");
  } catch {
    throw new StartupError(`GOVERNANCE_CONFIG_FILE: ${path} cannot be read`);
  }
  const parsed = parseConfigFile(text);
  if (parsed.kind === "ok") return parsed.loaded;
  throw new StartupError(`GOVERNANCE_CONFIG_FILE: ${path}: ${parsed.problems[0]}`);
}

/** Reads the text of a config file. A problem is a line: the key's path and what would be right. */
export function parseConfigFile(
  text: string,
):
  | { readonly kind: "ok"; readonly loaded: LoadedFile }
  | { readonly kind: "mistakes"; readonly problems: readonly [string, ...string[]] } {
  let raw: unknown;
  try {
    raw = parse(text, { uniqueKeys: true }) ?? {};
  } catch (cause) {
    const problem = cause instanceof YAMLParseError ? cause.message.split("\n")[0] : undefined;
    return { kind: "mistakes", problems: [problem ?? "not YAML or JSON"] };
  }
  const parsed = file.safeParse(raw);
  if (parsed.success) return { kind: "ok", loaded: { values: parsed.data, set: keysSet(raw) } };
  const [first = "is not a config file", ...others] = parsed.error.issues.map(problemOf);
  return { kind: "mistakes", problems: [first, ...others] };
}

function problemOf(issue: z.core.$ZodIssue): string {
  const message = (issue.code === "invalid_key" ? issue.issues[0] : issue)?.message ?? issue.message;
  return issue.path.length === 0 ? message : `${issue.path.map(String).join(".")}: ${message}`;
}

function keysSet(raw: unknown): ConfigFileKeys {
  if (typeof raw !== "object" || raw === null) return {};
  return Object.fromEntries(
    Object.entries(raw).map(([bot, values]) => [
      bot,
      new Set(typeof values === "object" && values ? Object.keys(values) : []),
    ]),
  );
}
