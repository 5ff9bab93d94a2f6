import { Command } from "commander";
import type { EndedOutage } from "../../journal/spool/entry.ts";
import { CliError, exitCodes } from "../exitCodes.ts";
import { count } from "../output/count.ts";
import { note, printLine } from "../output/stdout.ts";

/** `governance spool drain`. */
export function spoolDrainCommand(): Command {
  return new Command("drain")
    .description("Bring the records that a dead replica left in its spool to the database at DATABASE_URL.")
    .argument("<dir>", "its data folder")
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
Refused while the replica runs: it drains its spool by itself. Where it was several processes, the spools of all are
drained. GOVERNANCE_SCRUB_KEY_FILE names the replicas' key, or it is in the folder. Each record comes once, however
often this is run, also when it was cut off.

Exit codes: 0 nothing waits any more; 4 records are left, or were lost in a damaged spool; 5 the database refuses
records for what they are, and they stay (governance spool show).

Example:
  DATABASE_URL=postgresql://governance@db/governance governance spool drain /mnt/replica-2/.governance`,
    )
    .action(drain);
}

async function drain(dir: string, options: { readonly json?: true }): Promise<void> {
  const { drainOrphan } = await import("./orphan.ts");
  const { outages, left, refused, damage } = await drainOrphan(dir, process.env);
  for (const { why, quarantine } of damage)
    note(`the spool was damaged (${why}); its files are in ${quarantine}`);
  if (options.json) await printLine(JSON.stringify({ outages, left, refused }));
  else if (outages.length === 0 && left === 0) await printLine("nothing waits");
  else for (const outage of outages) await printLine(lineOf(outage));
  if (left > 0) {
    throw new CliError(
      exitCodes.incomplete,
      `${count(left)} records are left in the spool; run it again once the database takes them`,
    );
  }
  if (outages.some(({ lost }) => lost !== 0)) {
    throw new CliError(
      exitCodes.incomplete,
      "records that the spool had acknowledged were lost: it was damaged",
    );
  }
  if (refused > 0) {
    throw new CliError(
      exitCodes.refused,
      `the database refuses ${count(refused)} records; they stay in the spool, see governance spool show`,
    );
  }
}

function lineOf({ bot, buffered, flushed, folded, conflicting, refused, lost }: EndedOutage): string {
  const became = [
    `${count(flushed)} recorded`,
    `${count(folded)} on record before`,
    `${count(conflicting)} in conflict`,
    `${count(refused)} refused`,
    `${lost === null ? "nobody knows how many" : count(lost)} lost`,
  ];
  return `${bot}: ${count(buffered)} records were buffered: ${became.join(", ")}`;
}
