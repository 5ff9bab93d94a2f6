import { Command } from "commander";
import type { EpochBegun } from "../log/beginEpoch.ts";
import { asAdministrator } from "./administrator.ts";
import { count } from "./output/count.ts";
import { printLine } from "./output/stdout.ts";

type BeginOptions = { readonly anyway?: true; readonly json?: true };

/** `governance begin-epoch`. */
export function beginEpochCommand(): Command {
  return new Command("begin-epoch")
    .description("Go on with a database that was restored from a backup: its log begins a new epoch.")
    .option("--anyway", "also where nothing shows it: a disk or a data folder was put back as it was before")
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
A service refuses a database that was restored into another cluster, as it may be a copy of one that is still written
to: stop whatever writes to that one first. Records keep their positions; those that had none yet get theirs in the new
epoch; readers that had read further than the backup are told so. Without DATABASE_URL it is the embedded database
of GOVERNANCE_DATA_DIR, whose service must not run.

Example:
  DATABASE_URL=postgresql://governance@db/governance DATABASE_ADMIN_URL=postgresql://postgres@db/governance \\
    governance begin-epoch`,
    )
    .action(begin);
}

async function begin(options: BeginOptions): Promise<void> {
  const { beginEpoch } = await import("../log/beginEpoch.ts");
  const begun = await asAdministrator(process.env, (admin) => beginEpoch(admin, options.anyway ?? false));
  await tell(begun, options);
}

async function tell(epoch: EpochBegun, options: BeginOptions): Promise<void> {
  if (options.json) return printLine(JSON.stringify(epoch));
  if (!epoch.begun) {
    return printLine(
      `nothing to do: the log is in epoch ${epoch.epoch}, and its database is where it was; see --anyway`,
    );
  }
  await printLine(
    `the log is in epoch ${epoch.epoch}: epoch ${epoch.previousEpoch} ended at position ${epoch.previousPosition}, ${count(epoch.broughtAlong)} records had no position in it`,
  );
}
