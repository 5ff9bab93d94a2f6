import { Command } from "commander";
import {
  type CheckWriteResponse,
  CheckWriteResponseSchema,
  Durability,
  FieldChangeKind,
  Mode,
  TicketStatus,
  Verdict,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { exitCodes } from "./exitCodes.ts";
import { cut, shown } from "./output/cell.ts";
import { enumName } from "./output/enumName.ts";
import { jsonLine } from "./output/json.ts";
import { note, print, printLine } from "./output/stdout.ts";
import type { WriteFields } from "./rows/parameterChange.ts";
import { jsonOption, timeOption } from "./values.ts";

type CheckWriteOptions = ConnectionOptions & {
  readonly bot: string;
  readonly param: string;
  readonly old?: string;
  readonly new?: string;
  readonly editor: string;
  readonly ticket?: string;
  readonly environment?: string;
  readonly writeId?: string;
  readonly traceId?: string;
  readonly changedAt?: WriteFields["changedAt"];
  readonly dryRun?: true;
  readonly json?: true;
};

export function checkWriteCommand(): Command {
  const command = new Command("check-write")
    .description("Ask whether a configuration write may proceed, and record who changes what.")
    .optionsGroup("The write:")
    .requiredOption("--bot <slug>", "the bot whose parameter is written, e.g. risk.liquidityguard")
    .requiredOption("--param <name>", "the parameter, e.g. max_position_pusd")
    .option(
      "--old <json>",
      "the value before, JSON; every digit is kept (default: there was none)",
      jsonOption,
    )
    .option("--new <json>", "the value after, JSON (default: the parameter is removed)", jsonOption)
    .requiredOption("--editor <id>", "who changes it, e.g. alice@polytraders")
    .option("--ticket <ref>", "the change ticket, e.g. PTRD-1042")
    .option("--environment <name>", "where the bot runs, e.g. production")
    .option("--write-id <id>", "your id of this write: a retry with the same one gets the recorded answer")
    .option("--trace-id <id>", "a correlation id")
    .option("--changed-at <time>", "when the change happens, e.g. 2026-05-09T10:00:00Z", timeOption)
    .option("--dry-run", "decide, and record nothing")
    .option("--json", "answer in JSON")
    .action(checkWrite);
  return addConnectionOptions(command, "config-store").addHelpText(
    "after",
    `
Exit code 0: the write may proceed. 3: it may not. Any other: there is no verdict (governance --help).
In the mode shadow_only every write may proceed; the verdict says what enforce would answer.

Example:
  governance check-write --bot risk.liquidityguard --param max_position_pusd --old 5000 --new 7500 \\
    --editor alice@polytraders --ticket PTRD-1042 && ./apply-the-change`,
  );
}

async function checkWrite(options: CheckWriteOptions): Promise<void> {
  const response = await connected(options, "config-store", (connection) =>
    connection.client(ParameterChangeAuditorService).checkWrite(requestOf(options), { timeoutMs: 10_000 }),
  );
  if (options.json) await printLine(jsonLine(CheckWriteResponseSchema, response));
  else await print(verdictText(response));
  if (response.durability === Durability.NOT_RECORDED && !options.dryRun) {
    note("the verdict holds, but it could not be recorded in time");
  }
  process.exitCode = response.allowed ? exitCodes.ok : exitCodes.notAllowed;
}

function requestOf(options: CheckWriteOptions): WriteFields {
  const { ticket, environment, changedAt } = options;
  return {
    botSlug: options.bot,
    paramName: options.param,
    ...(options.old === undefined ? {} : { oldValueJson: options.old }),
    ...(options.new === undefined ? {} : { newValueJson: options.new }),
    editorId: options.editor,
    ...(ticket === undefined ? {} : { ticketRef: ticket }),
    ...(environment === undefined ? {} : { environment }),
    writeId: options.writeId ?? "",
    traceId: options.traceId ?? "",
    ...(changedAt === undefined ? {} : { changedAt }),
    dryRun: options.dryRun ?? false,
  };
}

const valueMaxColumns = 60;
const diffMaxLines = 20;

/** A verdict for a person at a terminal. */
export function verdictText(response: CheckWriteResponse): string {
  const lines = [
    `${response.allowed ? "ALLOWED" : "NOT ALLOWED"}  ${response.reasonCode}: ${response.userMessage}`,
    `  verdict    ${enumName(Verdict, response.verdict)} (${enumName(Mode, response.mode).toLowerCase()})`,
    `  tier       ${response.paramTier}`,
    `  ticket     ${enumName(TicketStatus, response.ticketStatus)}${response.ticketProblem && `: ${shown(response.ticketProblem)}`}`,
    `  record     ${enumName(Durability, response.durability)}${response.replayed ? ", as answered before to this write_id" : ""}`,
    ...(response.decisionId === "" ? [] : [`  decision   ${response.decisionId}`]),
    ...response.diff.slice(0, diffMaxLines).map((change) => {
      const before = change.oldJson === undefined ? "(none)" : cut(shown(change.oldJson), valueMaxColumns);
      const after = change.newJson === undefined ? "(none)" : cut(shown(change.newJson), valueMaxColumns);
      const kind = enumName(FieldChangeKind, change.kind).toLowerCase().padEnd(9);
      return `  ${kind}  ${shown(change.path) || "(the value)"}  ${before} → ${after}`;
    }),
  ];
  const more = response.diff.length + response.diffOmitted - diffMaxLines;
  if (more > 0) lines.push(`  and ${more} more differences`);
  return `${lines.join("\n")}\n`;
}
