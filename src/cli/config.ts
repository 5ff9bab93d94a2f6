import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Argument, Command } from "commander";
import {
  type BotParameter,
  ConfigSource,
  GetBotConfigResponseSchema,
  UpdateBotConfigResponseSchema,
} from "../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { BotConfigService } from "../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { verdictText } from "./checkWrite.ts";
import { configAsOfCommand } from "./configAsOf.ts";
import { connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { exitCodes } from "./exitCodes.ts";
import { enumName } from "./output/enumName.ts";
import { jsonLine } from "./output/json.ts";
import { print, printLine } from "./output/stdout.ts";
import { type Column, createTable } from "./output/table.ts";

const bots = ["gov.useractivityledger", "gov.parameterchangeauditor"] as const;
const timeoutMs = 10_000;

export function configCommand(): Command {
  return new Command("config")
    .description("Show and change the service's own parameters; show any bot's configuration as of a time.")
    .addCommand(getCommand())
    .addCommand(setCommand())
    .addCommand(configAsOfCommand());
}

function getCommand(): Command {
  const command = new Command("get")
    .description("Show the parameters in force, and where each comes from.")
    .addArgument(new Argument("[bot]", "whose parameters (default: both bots')").choices(bots))
    .optionsGroup("Output:")
    .option("--json", "one bot a line, as JSON")
    .action(get);
  return addConnectionOptions(command, "operator");
}

async function get(bot: string | undefined, options: ConnectionOptions & { json?: true }): Promise<void> {
  await connected(options, "operator", async (connection) => {
    const client = connection.client(BotConfigService);
    const rows: ParameterRow[] = [];
    for (const botId of bot === undefined ? bots : [bot]) {
      const response = await client.getBotConfig({ botId }, { timeoutMs });
      if (options.json) await printLine(jsonLine(GetBotConfigResponseSchema, response));
      rows.push(...response.parameters.map((parameter) => ({ botId, parameter })));
    }
    if (options.json) return;
    await print(createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY)(rows));
  });
}

type ParameterRow = { readonly botId: string; readonly parameter: BotParameter };

const columns: readonly Column<ParameterRow>[] = [
  { title: "BOT", maxWidth: 28, text: ({ botId }) => botId },
  { title: "PARAMETER", maxWidth: 28, text: ({ parameter }) => parameter.paramName },
  { title: "VALUE", maxWidth: 28, text: ({ parameter }) => jsonText(parameter.value) },
  {
    title: "SOURCE",
    maxWidth: 8,
    text: ({ parameter }) => enumName(ConfigSource, parameter.source).toLowerCase(),
  },
  { title: "DEFAULT", maxWidth: 28, text: ({ parameter }) => jsonText(parameter.defaultValue) },
  { title: "WARNING", maxWidth: 60, text: ({ parameter }) => parameter.warning },
];

function jsonText(value: Value | undefined): string {
  return value === undefined ? "" : JSON.stringify(toJson(ValueSchema, value));
}

type SetOptions = ConnectionOptions & {
  readonly editor: string;
  readonly ticket?: string;
  readonly json?: true;
};

function setCommand(): Command {
  const command = new Command("set")
    .description("Change a parameter, on all replicas and until it is changed again.")
    .addArgument(new Argument("<bot>", "whose parameter").choices(bots))
    .argument("<param>", "the parameter, e.g. retain_days")
    .argument("<value>", "its new value, JSON; a word needs no quotes")
    .requiredOption("--editor <id>", "who changes it; on record is the token's subject")
    .option("--ticket <ref>", "the change ticket, e.g. PTRD-1042")
    .option("--json", "answer in JSON")
    .action(set);
  return addConnectionOptions(command, "operator").addHelpText(
    "after",
    `
Exit code 0: the parameter is changed. 3: it may not be changed. Any other: governance --help.

Examples:
  governance config set gov.useractivityledger retain_days 3650 --editor alice --ticket PTRD-1042
  governance config set gov.parameterchangeauditor require_ticket_for '["P0","P1","P2"]' --editor alice`,
  );
}

async function set(botId: string, paramName: string, text: string, options: SetOptions): Promise<void> {
  const response = await connected(options, "operator", (connection) =>
    connection.client(BotConfigService).updateBotConfig(
      {
        botId,
        paramName,
        value: fromJson(ValueSchema, jsonOf(text)),
        editorId: options.editor,
        ...(options.ticket === undefined ? {} : { ticketRef: options.ticket }),
      },
      { timeoutMs },
    ),
  );
  if (options.json) await printLine(jsonLine(UpdateBotConfigResponseSchema, response));
  else if (response.verdict !== undefined) await print(verdictText(response.verdict));
  process.exitCode = response.verdict?.allowed ? exitCodes.ok : exitCodes.notAllowed;
}

/** JSON as it stands; what is none is a word: enforce, jsonl. */
function jsonOf(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
