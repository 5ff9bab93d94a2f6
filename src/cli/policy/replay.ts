import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { ConfigSource } from "../../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { type Decision, decide, type Policy } from "../../auditor/policy.ts";
import { nameKey } from "../../auditor/tiers.ts";
import { inForce } from "../../botConfig/inForce.ts";
import { policyOf } from "../../botConfig/policyOf.ts";
import type { LoadedFile } from "../../configFile.ts";
import { type Connection, connected } from "../connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "../connection/options.ts";
import { CliError, exitCodes } from "../exitCodes.ts";
import { count } from "../output/count.ts";
import { print, printLine } from "../output/stdout.ts";
import { type Column, createTable } from "../output/table.ts";
import { timeOption } from "../values.ts";
import { createCounts } from "./counts.ts";
import { readPolicyFile } from "./file.ts";
import { type PastDecision, readHistory, ticketOf } from "./history.ts";

type ReplayOptions = ConnectionOptions & {
  readonly from?: ReturnType<typeof timeOption>;
  readonly to?: ReturnType<typeof timeOption>;
  readonly bot?: string;
  readonly json?: true;
  readonly failOnChange?: true;
};

export function policyReplayCommand(): Command {
  const command = new Command("replay")
    .description("Judge the recorded writes by another policy, and show which verdicts would change.")
    .argument("<file>", "the config file with the other policy; - for stdin")
    .optionsGroup("Which writes:")
    .option("--from <time>", "accepted at or after, e.g. 2026-05-09 or 2026-05-09T10:00:00Z", timeOption)
    .option("--to <time>", "accepted before", timeOption)
    .option("--bot <slug>", "of this bot")
    .optionsGroup("Output:")
    .option("--json", "one changed verdict a line, as JSON; the last line is the summary")
    .option("--fail-on-change", "end with exit code 7 when a verdict would change")
    .action(replay);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
Tickets are judged by what was found when the decision was recorded; nothing is asked again. What
governance config set has stored beats the file here too, as it does in the service. Nothing is changed.

Examples:
  governance policy replay governance.yaml --from 2026-05-01
  governance policy replay governance.yaml --fail-on-change > /dev/null`,
  );
}

type Change = { readonly past: PastDecision; readonly now: Decision };

async function replay(path: string, options: ReplayOptions): Promise<void> {
  const parsed = readPolicyFile(path);
  if (parsed.kind === "mistakes") {
    throw new CliError(exitCodes.cannotStart, `${path}: ${parsed.problems[0]}`);
  }
  const seen = { judged: 0, changed: 0, ungated: 0, unchecked: 0, stopped: 0 };
  const transitions = new Map<string, number>();
  const byParameter = createCounts<readonly [bot: string, param: string, from: string, to: string]>();
  const layOut = createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY);

  const policy = await connected(options, "compliance", async (connection) => {
    const policy = policyOf(await withStored(parsed.loaded, connection));
    const judge = (past: PastDecision): readonly Change[] => {
      // It went through without a verdict: there is none that could change.
      if (past.reasonCode === "UNGATED_WRITE") {
        seen.ungated++;
        return [];
      }
      const now = rejudge(past, policy);
      seen.judged++;
      if (past.ticketStatus === "PRESENT") seen.unchecked++;
      if (past.allowed && !now.allowed) seen.stopped++;
      const transition = `${past.verdict} → ${now.verdict}`;
      transitions.set(transition, (transitions.get(transition) ?? 0) + 1);
      if (now.verdict === past.verdict) return [];
      seen.changed++;
      byParameter.add([past.botSlug, past.paramName, past.verdict, now.verdict], past.changedAt);
      return [{ past, now }];
    };
    await readHistory(connection, options, async (decisions) => {
      const changes = decisions.flatMap(judge);
      if (changes.length === 0) return;
      await print(options.json ? changes.map((change) => `${jsonOf(change)}\n`).join("") : layOut(changes));
    });
    return policy;
  });

  const rows = byParameter.rows();
  if (options.json) {
    const summary = {
      policy_version: policy.version,
      mode: policy.mode.toUpperCase(),
      ...seen,
      verdicts: Object.fromEntries([...transitions].map(([name, n]) => [name.replace(" → ", "_TO_"), n])),
      by_parameter: rows.map(({ key: [audited_bot, param_name, old_verdict, new_verdict], count }) => ({
        audited_bot,
        param_name,
        old_verdict,
        new_verdict,
        count,
      })),
      by_parameter_omitted: byParameter.omitted(),
    };
    await printLine(JSON.stringify({ summary }));
  } else {
    if (rows.length > 0) {
      const table = createTable(parameterColumns, process.stdout.columns ?? Number.POSITIVE_INFINITY);
      await print(`\n${table(rows)}`);
    }
    const lines = [
      ...(rows.length > 0 ? [""] : []),
      ...[...transitions].sort().map(([name, n]) => `${name}  ${count(n)}`),
      `${count(seen.changed)} of ${count(seen.judged)} verdicts would change under policy ${policy.version} (${policy.mode}); ${count(seen.stopped)} writes that went through would be stopped`,
    ];
    if (byParameter.omitted() > 0)
      lines.push(`${count(byParameter.omitted())} changes are not in the table by parameter`);
    if (seen.ungated > 0) lines.push(`writes without a verdict, left out: ${count(seen.ungated)}`);
    if (seen.unchecked > 0)
      lines.push(`writes with a ticket that nobody checked, which counts as good: ${count(seen.unchecked)}`);
    await print(`${lines.join("\n")}\n`);
  }
  if (options.failOnChange && seen.changed > 0) process.exitCode = exitCodes.verdictsChange;
}

/** The verdict by the policy, of what was recorded alone. */
function rejudge(past: PastDecision, policy: Policy): Decision {
  const { botSlug, paramName, newValue, breakGlassReason } = past;
  const write = { botKey: nameKey(botSlug), paramKey: nameKey(paramName), newValue, breakGlassReason };
  return decide(write, policy, ticketOf(past));
}

/** The file as the service would have it in force: what UpdateBotConfig stored is laid over it. */
async function withStored(loaded: LoadedFile, connection: Connection): Promise<LoadedFile["values"]> {
  const botId = "gov.parameterchangeauditor";
  const { parameters } = await connection
    .client(BotConfigService)
    .getBotConfig({ botId }, { timeoutMs: 10_000 });
  const stored = parameters
    .filter(({ source, value }) => source === ConfigSource.STORED && value !== undefined)
    .map(({ paramName, value }, seq) => ({
      seq,
      botId,
      paramName,
      value: value === undefined ? null : toJson(ValueSchema, value),
    }));
  return { ...loaded.values, ...inForce(loaded.values, loaded.set, stored).values };
}

function jsonOf({ past, now }: Change): string {
  return JSON.stringify({
    decision_id: past.decisionId,
    changed_at: past.changedAt,
    audited_bot: past.botSlug,
    param_name: past.paramName,
    editor_id: past.editorId,
    ticket_status: past.ticketStatus,
    old_verdict: past.verdict,
    old_reason_code: past.reasonCode,
    old_policy_version: past.policyVersion,
    new_verdict: now.verdict,
    new_reason_code: now.reasonCode,
    new_param_tier: now.tier,
  });
}

const columns: readonly Column<Change>[] = [
  { title: "CHANGED AT", maxWidth: 27, text: ({ past }) => past.changedAt },
  { title: "BOT", maxWidth: 28, text: ({ past }) => past.botSlug },
  { title: "PARAMETER", maxWidth: 36, text: ({ past }) => past.paramName },
  { title: "EDITOR", maxWidth: 24, text: ({ past }) => past.editorId },
  { title: "TIER", maxWidth: 4, text: ({ now }) => now.tier },
  { title: "TICKET", maxWidth: 12, text: ({ past }) => past.ticketStatus },
  { title: "OLD → NEW", maxWidth: 16, text: ({ past, now }) => `${past.verdict} → ${now.verdict}` },
  { title: "DECISION", maxWidth: 26, text: ({ past }) => past.decisionId },
];

type ParameterRow = { readonly key: readonly [string, string, string, string]; readonly count: number };

const parameterColumns: readonly Column<ParameterRow>[] = [
  { title: "BOT", maxWidth: 28, text: ({ key }) => key[0] },
  { title: "PARAMETER", maxWidth: 48, text: ({ key }) => key[1] },
  { title: "OLD → NEW", maxWidth: 16, text: ({ key }) => `${key[2]} → ${key[3]}` },
  { title: "WRITES", maxWidth: 12, text: (row) => count(row.count) },
];
