import { Command } from "commander";
import {
  type PurgeRun,
  PurgeRunSchema,
  type PurgeStep,
} from "../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { RetentionService } from "../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { connected } from "./connection/connection.ts";
import { addConnectionOptions, type ConnectionOptions } from "./connection/options.ts";
import { exitCodes } from "./exitCodes.ts";
import { count } from "./output/count.ts";
import { jsonLine } from "./output/json.ts";
import { note, print, printLine } from "./output/stdout.ts";
import { type Column, createTable } from "./output/table.ts";

type PurgeOptions = ConnectionOptions & { readonly dryRun?: true; readonly json?: true };

/** `governance purge`. */
export function purgeCommand(): Command {
  const command = new Command("purge")
    .description("Take what is past its retention out of reach; a week later it is dropped.")
    .option("--dry-run", "tell what would be done, and change nothing")
    .optionsGroup("Output:")
    .option("--json", "the run as JSON")
    .action(purge);
  return addConnectionOptions(command, "operator").addHelpText(
    "after",
    `
The service does this by itself once a day. It takes whole months, once every record in them is past its
retention; what a legal hold covers stays. The service needs DATABASE_ADMIN_URL for it (or the embedded
Postgres), and refuses with exit code 5 without it, while another run is under way, or when its clock and
the database's disagree.

Example:
  governance purge --dry-run`,
  );
}

/** As long as the service gives itself; a run goes on when its caller has gone. */
const timeoutMs = 600_000;

async function purge(options: PurgeOptions): Promise<void> {
  const { run } = await connected(options, "operator", (connection) =>
    connection.client(RetentionService).runPurge({ dryRun: options.dryRun ?? false }, { timeoutMs }),
  );
  if (run === undefined) return;
  if (options.json) await printLine(jsonLine(PurgeRunSchema, run));
  else await tell(run);
  process.exitCode = exitCodes.ok;
}

async function tell(run: PurgeRun): Promise<void> {
  const withRecords = run.steps.filter((step) => step.records + step.heldRecords > 0n);
  const empty = run.steps.length - withRecords.length;
  if (withRecords.length > 0) {
    await print(createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY)(withRecords));
  }
  const changed = run.steps.some(({ action }) => action !== "KEPT");
  if (run.dryRun)
    note(changed ? "nothing was changed: this is what a run would do" : "a run would change nothing");
  else if (changed) note(`run ${run.runId}; what is DETACHED will be dropped in a week`);
  else note(`run ${run.runId}: nothing was due`);
  if (empty > 0) note(`${count(empty)} more steps are of months without records; --json has all`);
}

const columns: readonly Column<PurgeStep>[] = [
  { title: "TABLE", maxWidth: 32, text: (step) => step.table },
  { title: "MONTH", maxWidth: 7, text: (step) => step.month },
  { title: "ACTION", maxWidth: 8, text: (step) => step.action },
  { title: "RECORDS", maxWidth: 16, text: (step) => count(step.records) },
  { title: "HELD", maxWidth: 16, text: (step) => count(step.heldRecords) },
  { title: "RETAINED UNTIL", maxWidth: 14, text: (step) => step.retainedUntil },
];
