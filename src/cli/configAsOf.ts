import { Command, Option } from "commander";
import {
  ConfigBasis,
  type ConfigValue,
  GetConfigAsOfResponseSchema,
} from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { ParameterChangeAuditorService } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_service_pb.ts";
import { connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { timeText } from "./list/pages.ts";
import { jsonLine } from "./output/json.ts";
import { note, print, printLine } from "./output/stdout.ts";
import { type Column, createTable } from "./output/table.ts";
import { timeOption } from "./values.ts";

type AsOfOptions = ConnectionOptions & {
  readonly time?: ReturnType<typeof timeOption>;
  readonly basis: "accepted" | "changed";
  readonly json?: true;
};

/** Any bot's recorded configuration; `config get` is of the service's own parameters. */
export function configAsOfCommand(): Command {
  const command = new Command("as-of")
    .description("Show the configuration of any bot at a time, from the writes on record.")
    .argument("<bot>", "whose configuration, e.g. risk.liquidityguard")
    .option("--time <time>", "e.g. 2026-05-09 or 2026-05-09T10:00:00Z (default: now)", timeOption)
    .addOption(
      new Option("--basis <basis>", "by the service's time, or by the one that callers claim")
        .choices(["accepted", "changed"])
        .default("accepted"),
    )
    .option("--json", "answer in JSON")
    .action(asOf);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
Example:
  governance config as-of risk.liquidityguard --time 2026-05-09T10:00:00Z`,
  );
}

async function asOf(botSlug: string, options: AsOfOptions): Promise<void> {
  const { time, basis, json } = options;
  const response = await connected(options, "compliance", (connection) =>
    connection.client(ParameterChangeAuditorService).getConfigAsOf(
      {
        botSlug,
        basis: basis === "changed" ? ConfigBasis.CHANGED : ConfigBasis.ACCEPTED,
        ...(time === undefined ? {} : { time }),
      },
      { timeoutMs: 30_000 },
    ),
  );
  if (json) return printLine(jsonLine(GetConfigAsOfResponseSchema, response));
  if (response.values.length === 0) return note("no parameter had a value");
  await print(createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY)(response.values));
}

const columns: readonly Column<ConfigValue>[] = [
  { title: "PARAMETER", maxWidth: 48, text: (value) => value.paramName },
  { title: "VALUE", maxWidth: 200, text: (value) => value.valueJson },
  { title: "ACCEPTED AT", maxWidth: 24, text: (value) => timeText(value.acceptedAt) },
  { title: "CONFIRMED", maxWidth: 9, text: (value) => (value.unconfirmed ? "no" : "yes") },
  { title: "DECISION", maxWidth: 26, text: (value) => value.decisionId },
];
