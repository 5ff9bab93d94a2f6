import { Command } from "commander";
import type { Policy } from "../../auditor/policy.ts";
import { type Remark, remarksOn } from "../../auditor/review/patterns.ts";
import { type TierRule, tiers } from "../../auditor/tiers.ts";
import { policyOf } from "../../botConfig/policyOf.ts";
import type { ConfigFile } from "../../configFile.ts";
import { exitCodes } from "../exitCodes.ts";
import { shown } from "../output/cell.ts";
import { note, print } from "../output/stdout.ts";
import { type Column, createTable } from "../output/table.ts";
import { readPolicyFile } from "./file.ts";

export function policyCheckCommand(): Command {
  return new Command("check")
    .description("Say what is wrong with a config file, or what its policy is. Needs no service.")
    .argument("<file>", "the config file; - for stdin")
    .action(check)
    .addHelpText(
      "after",
      `
Exit code 0: the service would take it (it does not look into tickets.token_file). 1: there are mistakes, one a
line. What is only odd, such as a pattern that can never decide, is told and is no mistake.

Example:
  governance policy check governance.yaml`,
    );
}

async function check(path: string): Promise<void> {
  const parsed = readPolicyFile(path);
  if (parsed.kind === "mistakes") {
    for (const problem of parsed.problems) note(shown(`${path}: ${problem}`));
    process.exitCode = exitCodes.cannotStart;
    return;
  }
  await print(summary(parsed.loaded.values));
}

function summary(file: ConfigFile): string {
  const policy = policyOf(file);
  const lines = [
    `policy version  ${policy.version}`,
    `mode            ${policy.mode}`,
    `tickets for     ${tiers.filter((tier) => policy.requireTicketFor.has(tier)).join(", ") || "no tier"}`,
    `ticket system   ${ticketSystem(file, policy)}`,
    "",
    `tiers           ${policy.tiers.length === 0 ? "no patterns: gov.* is P0, all else P2" : "the most literal characters decide; without a match gov.* is P0, all else P2"}`,
  ];
  let text = `${lines.join("\n")}\n`;
  if (policy.tiers.length > 0) text += table(tierColumns)(mostSpecificFirst(policy.tiers));
  text += list("stopping", file.stopping.map(stoppingText));
  text += list(
    "automation",
    file.automation.map(
      ({ subject, pattern }) => `${shown(subject)} may write ${shown(pattern)} without a page`,
    ),
  );
  const remarks = [...remarksOn(file.tiers).map(remarkText), ...file.stopping.flatMap(stoppingRemark)];
  return text + list("worth knowing", remarks.map(shown));
}

function table<Row>(columns: readonly Column<Row>[]): (rows: readonly Row[]) => string {
  return createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY);
}

const tierColumns: readonly Column<TierRule>[] = [
  { title: "TIER", maxWidth: 4, text: ({ tier }) => tier },
  { title: "LITERALS", maxWidth: 8, text: ({ pattern }) => String(pattern.literals) },
  { title: "PATTERN", maxWidth: 640, text: ({ pattern }) => pattern.text },
];

function mostSpecificFirst(rules: readonly TierRule[]): readonly TierRule[] {
  return rules.toSorted((a, b) => b.pattern.literals - a.pattern.literals || (a.tier < b.tier ? -1 : 1));
}

function ticketSystem({ tickets }: ConfigFile, { rejectUnverified }: Policy): string {
  if (tickets.system === undefined) return "none: a reference that is there is enough";
  const rejected = tiers.filter((tier) => rejectUnverified.has(tier)).join(", ") || "no tier";
  return `${tickets.system} at ${tickets.url}; while it is down ${rejected} is rejected`;
}

function list(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  return `\n${title}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function stoppingText(text: string): string {
  const value = jsonBehind(text);
  const pattern = shown(value === undefined ? text : text.slice(0, text.lastIndexOf("=")).trim());
  return `${pattern} needs no ticket ${value === undefined ? "for any value" : `when it becomes ${shown(value)}`}`;
}

/** The JSON text behind the last "="; undefined when there is none. */
function jsonBehind(text: string): string | undefined {
  const at = text.lastIndexOf("=");
  if (at === -1) return undefined;
  try {
    JSON.parse(text.slice(at + 1));
    return text.slice(at + 1).trim();
  } catch {
    return undefined; // Then it is part of the pattern, which stoppingRemark tells.
  }
}

function stoppingRemark(text: string): readonly string[] {
  if (!text.includes("=") || jsonBehind(text) !== undefined) return [];
  return [
    `stopping: ${text}: what is behind "=" is not JSON, so all of it is taken as a name (text needs quotes: ="off")`,
  ];
}

function remarkText(remark: Remark): string {
  switch (remark.kind) {
    case "never_decides":
      return `tiers: ${remark.pattern} can never decide: ${remark.by} matches all that it matches, and wins or says the same`;
    case "matches_nothing":
      return `tiers: ${remark.pattern} matches nothing: a name is bot_slug.param_name`;
    case "lowers_gov":
      return `tiers: ${remark.pattern} matches gov.* too, the service's own parameters, which are P0 without a pattern`;
    case "tie":
      return `tiers: ${remark.stricter} and ${remark.laxer} are equally specific; where both match, ${remark.stricter} wins as the stricter one`;
  }
}
