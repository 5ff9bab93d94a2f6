import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  type LegalHold,
  LegalHoldSchema,
  RecordKind,
} from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { RetentionService } from "../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { type Connection, connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { CliError, exitCodes } from "./exitCodes.ts";
import { shown } from "./output/cell.ts";
import { jsonLine } from "./output/json.ts";
import { note, print, printLine } from "./output/stdout.ts";
import { type Column, createTable } from "./output/table.ts";
import { timeOption } from "./values.ts";

type PlaceOptions = ConnectionOptions & {
  readonly reason: string;
  readonly wallet?: string;
  readonly sessionId?: string;
  readonly bot?: string;
  readonly param?: string;
  readonly changes?: true;
  readonly from?: Timestamp;
  readonly to?: Timestamp;
  readonly json?: true;
};
type ReleaseOptions = ConnectionOptions & { readonly reason: string; readonly json?: true };
type ListOptions = ConnectionOptions & { readonly inForce?: true; readonly json?: true };

const timeoutMs = 30_000;

/** `governance hold place|release|list`. */
export function holdCommand(): Command {
  const hold = new Command("hold")
    .description("Keep records from being purged and scrubbed: place, release and list legal holds.")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Examples:
  governance hold place matter-7 --wallet 0xdeadbeef00000000000000000000000000000001 --reason "matter 7"
  governance hold list --in-force
  governance hold release matter-7 --reason "matter 7 is closed"`,
    );
  for (const command of [placeCommand(), releaseCommand(), listCommand()]) hold.addCommand(command);
  return hold;
}

function placeCommand(): Command {
  const command = new Command("place")
    .description("Place a hold. It covers the records that match every option given; at least one is needed.")
    .argument("<hold-id>", "your id of the hold; the same again is placed once", holdId)
    .requiredOption("--reason <text>", "why, e.g. the matter's number")
    .optionsGroup("User activity:")
    .addOption(new Option("--wallet <0x…>", "of this wallet, or of what stands for it once scrubbed"))
    .option("--session-id <id>", "of this session")
    .optionsGroup("Parameter changes:")
    .option("--bot <slug>", "of this bot")
    .option("--param <name>", "of this parameter")
    .optionsGroup("Either:")
    .option(
      "--changes",
      "parameter changes, where --from and --to alone do not tell (default: user activity)",
    )
    .option("--from <time>", "accepted at or after, e.g. 2026-05-09 or 2026-05-09T10:00:00Z", timeOption)
    .option("--to <time>", "accepted before", timeOption)
    .optionsGroup("Output:")
    .option("--json", "the hold as JSON")
    .action(place);
  return addConnectionOptions(command, "compliance");
}

function releaseCommand(): Command {
  const command = new Command("release")
    .description("Release a hold. What it kept goes when it is due: past its retention, with the next purge.")
    .argument("<hold-id>", "the hold", holdId)
    .requiredOption("--reason <text>", "why")
    .option("--json", "the hold as JSON")
    .action(release);
  return addConnectionOptions(command, "compliance");
}

function listCommand(): Command {
  const command = new Command("list")
    .description("List all holds, newest first.")
    .option("--in-force", "only those that are not released")
    .option("--json", "one hold a line, as JSON")
    .action(list);
  return addConnectionOptions(command, "compliance");
}

function holdId(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

async function place(id: string, options: PlaceOptions): Promise<void> {
  const response = await connected(options, "compliance", (connection) =>
    connection
      .client(RetentionService)
      .placeLegalHold({ holdId: id, scope: scopeOf(options), reason: options.reason }, { timeoutMs }),
  );
  await tell(response.hold, options.json);
}

async function release(id: string, options: ReleaseOptions): Promise<void> {
  const response = await connected(options, "compliance", (connection) =>
    connection
      .client(RetentionService)
      .releaseLegalHold({ holdId: id, reason: options.reason }, { timeoutMs }),
  );
  await tell(response.hold, options.json);
}

function scopeOf(options: PlaceOptions) {
  const ofChanges = options.changes || options.bot !== undefined || options.param !== undefined;
  if (ofChanges && (options.wallet !== undefined || options.sessionId !== undefined)) {
    throw new CliError(
      exitCodes.usage,
      "--wallet and --session-id are of user activity, --bot, --param and --changes of parameter changes: place two holds",
    );
  }
  return {
    kind: ofChanges ? RecordKind.PARAMETER_CHANGES : RecordKind.USER_ACTIVITY,
    wallet: options.wallet ?? "",
    sessionId: options.sessionId ?? "",
    botSlug: options.bot ?? "",
    paramName: options.param ?? "",
    ...(options.from === undefined ? {} : { fromTime: options.from }),
    ...(options.to === undefined ? {} : { toTime: options.to }),
  };
}

async function tell(hold: LegalHold | undefined, json: true | undefined): Promise<void> {
  if (hold === undefined) throw new CliError(exitCodes.refused, "the service answered no hold");
  if (json) return printLine(jsonLine(LegalHoldSchema, hold));
  const placed = `placed ${timeText(hold.placedAt)} by ${shown(hold.placedBy)}: ${shown(hold.reason)}`;
  const released =
    hold.releasedAt === undefined
      ? "in force: what it covers is neither purged nor scrubbed"
      : `released ${timeText(hold.releasedAt)} by ${shown(hold.releasedBy)}: ${shown(hold.releaseReason)}`;
  await print(`${shown(hold.holdId)}  ${scopeText(hold)}\n  ${placed}\n  ${released}\n`);
}

async function list(options: ListOptions): Promise<void> {
  await connected(options, "compliance", async (connection) => {
    const layOut = createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY);
    let any = false;
    for await (const holds of pages(connection, options.inForce ?? false)) {
      any ||= holds.length > 0;
      if (holds.length === 0) continue;
      await print(
        options.json ? holds.map((hold) => `${jsonLine(LegalHoldSchema, hold)}\n`).join("") : layOut(holds),
      );
    }
    if (!any) note(options.inForce ? "no hold is in force" : "no holds found");
  });
}

async function* pages(connection: Connection, inForce: boolean): AsyncGenerator<readonly LegalHold[]> {
  const client = connection.client(RetentionService);
  let pageToken = "";
  do {
    const page = await client.listLegalHolds({ pageSize: 200, pageToken, inForce }, { timeoutMs });
    yield page.holds;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

const columns: readonly Column<LegalHold>[] = [
  { title: "HOLD", maxWidth: 36, text: (hold) => hold.holdId },
  { title: "PLACED AT", maxWidth: 24, text: (hold) => timeText(hold.placedAt) },
  { title: "BY", maxWidth: 24, text: (hold) => hold.placedBy },
  { title: "RELEASED AT", maxWidth: 24, text: (hold) => timeText(hold.releasedAt) },
  { title: "COVERS", maxWidth: 120, text: scopeText },
  { title: "REASON", maxWidth: 200, text: (hold) => hold.reason },
];

/** What a hold covers, in words. */
function scopeText({ scope }: LegalHold): string {
  const what = scope?.kind === RecordKind.PARAMETER_CHANGES ? "parameter changes" : "user activity";
  const parts = [
    ["of wallet", scope?.wallet],
    ["of session", scope?.sessionId],
    ["of bot", scope?.botSlug],
    ["of parameter", scope?.paramName],
    ["from", timeText(scope?.fromTime)],
    ["before", timeText(scope?.toTime)],
  ] as const;
  const given = parts.flatMap(([words, value]) => (value ? [`${words} ${shown(value)}`] : []));
  return `${what} ${given.join(" ")}`;
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}
