import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command } from "commander";
import { ulid } from "ulid";
import {
  RecordOutcome,
  type RecordUserActionResponse,
  RecordUserActionResponseSchema,
} from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { errorCode } from "./errorCode.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { shown } from "./output/cell.ts";
import { enumName } from "./output/enumName.ts";
import { jsonLine } from "./output/json.ts";
import { printLine } from "./output/stdout.ts";
import { readRawObject } from "./rawObject.ts";
import { BadRow } from "./rows/fields.ts";
import { type ActionFields, userAction } from "./rows/userAction.ts";
import { countOption, jsonOption, readInput, timeOption, wallet } from "./values.ts";

type RecordOptions = ConnectionOptions & {
  readonly eventId?: string;
  readonly wallet?: string;
  readonly sessionId?: string;
  readonly actionType?: string;
  readonly params?: string;
  readonly traceId?: string;
  readonly occurredAt?: ActionFields["occurredAt"];
  readonly sessionSeq?: bigint;
  readonly json?: string | true;
};

/** The options that describe the action; none of them goes with a file. */
const actionOptions = [
  ["eventId", "--event-id"],
  ["wallet", "--wallet"],
  ["sessionId", "--session-id"],
  ["actionType", "--action-type"],
  ["params", "--params"],
  ["traceId", "--trace-id"],
  ["occurredAt", "--occurred-at"],
  ["sessionSeq", "--session-seq"],
] as const;

export function recordCommand(): Command {
  const command = new Command("record")
    .description(
      "Record one user action. Ends when it is durable; the same event_id is recorded once, for ever.",
    )
    .optionsGroup("The action:")
    .option(
      "--event-id <id>",
      "the producer's id of the action; a retry needs the same one (default: a new one)",
    )
    .option("--wallet <0x…>", "the user's wallet; required", wallet)
    .option("--session-id <id>", "the user's session; required")
    .option("--action-type <TYPE>", "the kind of action, e.g. STRATEGY_START; required")
    .option("--params <json>", "its parameters, a JSON object; every digit is kept", jsonOption)
    .option("--trace-id <id>", "links the action to the fills it leads to")
    .option("--occurred-at <time>", "when it happened, e.g. 2026-05-09T10:00:00Z", timeOption)
    .option("--session-seq <n>", "its number in the session, from 1", countOption)
    .option("--json [file]", "answer in JSON; with a file (- for stdin), take the action from it")
    .action(record);
  return addConnectionOptions(command, "bot").addHelpText(
    "after",
    `
Examples:
  governance record --wallet 0xdeadbeef00000000000000000000000000000001 --session-id sess_1 \\
    --action-type STRATEGY_START --params '{"strategy":"sports-model","max_size_pusd":500.0}'
  echo '{"event_id":"evt_1","wallet":"0xdeadbeef00000000000000000000000000000001","session_id":"sess_1",
    "action_type":"HALT","params":{"reason":"news"}}' | governance record --json -`,
  );
}

async function record(options: RecordOptions): Promise<void> {
  const action =
    typeof options.json === "string" ? actionOfFile(options.json, options) : actionOfOptions(options);
  const response = await connected(options, "bot", (connection) =>
    connection.client(UserActivityLedgerService).recordUserAction(action, { timeoutMs: 10_000 }),
  );
  if (options.json === undefined) await printLine(sentence(response));
  else await printLine(jsonLine(RecordUserActionResponseSchema, response));
}

function actionOfFile(path: string, options: RecordOptions): ActionFields {
  const given = actionOptions.find(([key]) => options[key] !== undefined);
  if (given !== undefined) throw new CliError(exitCodes.usage, `${given[1]} does not go with --json ${path}`);
  const name = path === "-" ? "stdin" : path;
  try {
    return userAction(readRawObject(readInput(path)));
  } catch (cause) {
    const code = errorCode(cause);
    if (code !== undefined)
      throw new CliError(exitCodes.cannotStart, `${name} cannot be read (${code})`, { cause });
    if (!(cause instanceof SyntaxError) && !(cause instanceof BadRow)) throw cause;
    throw new CliError(exitCodes.usage, `${name} is not a user action: ${shown(cause.message)}`, { cause });
  }
}

function actionOfOptions(options: RecordOptions): ActionFields {
  const { params, traceId, occurredAt, sessionSeq } = options;
  return {
    eventId: options.eventId ?? `evt_${ulid()}`,
    wallet: required("--wallet", options.wallet),
    sessionId: required("--session-id", options.sessionId),
    actionType: required("--action-type", options.actionType),
    ...(params === undefined ? {} : { paramsJson: params }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(sessionSeq === undefined ? {} : { sessionSeq }),
  };
}

function required(option: string, value: string | undefined): string {
  if (value === undefined)
    throw new CliError(exitCodes.usage, `${option} is required (or --json with a file)`);
  return value;
}

function sentence({ outcome, report }: RecordUserActionResponse): string {
  const time =
    report?.recordedAt === undefined ? "" : ` at ${timestampDate(report.recordedAt).toISOString()}`;
  const what = `${report?.actionType} ${shown(report?.eventId ?? "")}`;
  return `${enumName(RecordOutcome, outcome)}  ${what}  recorded${time}, kept until ${report?.retainedUntil}  ${report?.reportId}`;
}
