import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { ReportService } from "../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import {
  type StreamReportsResponse,
  StreamReportsResponseSchema,
} from "../../gen/ts/polytraders/governance/v1/report_stream_pb.ts";
import { type Connection, connected } from "./connection/connection.ts";
import { callFailure } from "./connection/failure.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { jsonLine } from "./output/json.ts";
import { note, printLine, setBrokenPipe } from "./output/stdout.ts";
import { onStopSignal, stoppedBy } from "./signals.ts";
import { lineOf } from "./tail/line.ts";
import { type Place, placeOption, textOfPlace } from "./tail/place.ts";
import { walletFilter } from "./values.ts";

type TailOptions = ConnectionOptions & {
  readonly topic?: string;
  readonly type?: readonly string[];
  readonly bot?: string;
  readonly wallet?: string;
  readonly after?: Place;
  readonly fromStart?: true;
  readonly json?: true;
};

const topics: ReadonlyMap<string, string> = new Map([
  ["settlement", "polytraders.reports.settlement"],
  ["operations", "polytraders.reports.operations"],
]);

export function tailCommand(): Command {
  const command = new Command("tail")
    .description("Show what both bots report, as it happens; after a cut it goes on where it was.")
    .optionsGroup("Which:")
    .option("--topic <topic>", "settlement or operations (default: both)", topicOption)
    .option("--type <TYPE...>", "only these event types, e.g. KILL_SWITCH_ACTIVE")
    .option("--bot <slug>", "only of this bot, or of changes of this bot's parameters")
    .option("--wallet <0x…>", "only of this wallet", walletFilter)
    .optionsGroup("From where:")
    .option(
      "--after <epoch:position>",
      "everything behind this place, then live (default: from now)",
      placeOption,
    )
    .option("--from-start", "everything there is, then live")
    .optionsGroup("Output:")
    .option("--json", "one report a line, as JSON, with its place in `at`")
    .action(tail);
  return addConnectionOptions(command, "compliance").addHelpText(
    "after",
    `
With the role operator wallets are redacted. Ctrl-C ends it, and prints the place to go on from with --after.

Examples:
  governance tail
  governance tail --topic operations --type AUDIT_TICKET_REQUIRED BREAK_GLASS_USED P0_PARAMETER_CHANGED
  governance tail --from-start --json | jq -r .operations.param_name`,
  );
}

function topicOption(value: string): string {
  const topic = topics.get(value) ?? [...topics.values()].find((one) => one === value);
  if (topic === undefined) throw new InvalidArgumentError("It is settlement or operations.");
  return topic;
}

async function tail(options: TailOptions): Promise<void> {
  if (options.after !== undefined && options.fromStart) {
    throw new CliError(exitCodes.usage, "--after and --from-start: give one of them");
  }
  setBrokenPipe({ kind: "end", exitCode: exitCodes.ok });
  const leaving = new AbortController();
  const state: State = { place: options.after, isOpen: false };
  onStopSignal((signal) => {
    const on = state.place === undefined ? "" : `; go on with --after ${textOfPlace(state.place)}`;
    leaving.abort(stoppedBy(signal, `stopped${on}`));
  });
  await connected(options, "compliance", (connection) => follow(connection, options, state, leaving.signal));
}

/** How far the output has come. */
type State = {
  /** Undefined before the service told one. */
  place: Place | undefined;
  /** Whether the call under way has told anything. */
  isOpen: boolean;
};

/** The service says how far it has come at least this often; a cut is noticed by the connection's pings. */
const progressSeconds = 10;
const firstPauseMs = 200;
const longestPauseMs = 5_000;

/** Follows the reports until stopped. Throws what ends it: the signal's CliError, or a refusal. */
async function follow(
  connection: Connection,
  options: TailOptions,
  state: State,
  signal: AbortSignal,
): Promise<void> {
  const client = connection.client(ReportService);
  let wasOpen = false;
  let pauseMs = firstPauseMs;
  for (;;) {
    state.isOpen = false;
    let problem = "the stream has ended";
    try {
      for await (const message of client.streamReports(requestOf(options, state.place), { signal })) {
        if (!state.isOpen && pauseMs > firstPauseMs) note("connected again");
        state.isOpen = true;
        wasOpen = true;
        pauseMs = firstPauseMs;
        await show(message, options);
        if (message.at !== undefined) state.place = message.at;
      }
    } catch (cause) {
      signal.throwIfAborted();
      const passing = passingProblem(cause, state);
      if (passing === undefined || !wasOpen) throw cause;
      problem = passing;
    }
    signal.throwIfAborted();
    if (pauseMs === firstPauseMs) note(`${problem}; trying again`);
    await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

function requestOf(options: TailOptions, place: Place | undefined) {
  return {
    topic: options.topic ?? "",
    eventTypes: [...(options.type ?? [])],
    bot: options.bot ?? "",
    wallet: options.wallet ?? "",
    progressSeconds,
    ...(place === undefined ? { fromNow: options.fromStart !== true } : { after: place }),
  };
}

async function show(message: StreamReportsResponse, options: TailOptions): Promise<void> {
  if (message.report.case === undefined) return;
  await printLine(options.json ? jsonLine(StreamReportsResponseSchema, message) : lineOf(message));
}

/** Why a call ended that another one can follow; undefined when it was refused for good. */
function passingProblem(cause: unknown, state: State): string | undefined {
  const failure = callFailure(cause);
  if (failure === undefined) return undefined;
  if (failure.kind === "unreachable") return state.isOpen ? "the connection was cut" : failure.message;
  if (failure.isTransient) return failure.message;
  // The next token may be good for longer; one that is refused at once is not asked with again.
  return failure.reason === "TOKEN_EXPIRED" && state.isOpen ? failure.message : undefined;
}
