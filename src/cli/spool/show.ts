import { Command } from "commander";
import type { Held, Outage } from "../../journal/spool/entry.ts";
import type { SpoolView } from "../../journal/spool/view.ts";
import { count, size } from "../output/count.ts";
import { note, print, printLine } from "../output/stdout.ts";
import { type Column, createTable } from "../output/table.ts";
import { spoolIn } from "./folder.ts";

type ShowOptions = { readonly dir?: string; readonly json?: true };

/** `governance spool show`. */
export function spoolShowCommand(): Command {
  return new Command("show")
    .description("What waits in a replica's spool. It may be running.")
    .option("--dir <dir>", "the replica's data folder (default: GOVERNANCE_DATA_DIR)")
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
Records wait for Postgres; those under REFUSED it does not take for what they are. Nothing is changed, and no
content is shown: the bodies are in the table entry of spool/spool.db, for sqlite3.

Example:
  governance spool show --dir /srv/governance/.governance`,
    )
    .action(show);
}

async function show(options: ShowOptions): Promise<void> {
  const { dataDir } = await import("../../config.ts");
  const { viewSpool } = await import("../../journal/spool/view.ts");
  const view = viewSpool(spoolIn(options.dir ?? dataDir(process.env)));
  if (options.json) await printLine(JSON.stringify(view));
  else await tell(view);
}

async function tell(view: SpoolView): Promise<void> {
  if (view.held.length === 0) await printLine("nothing waits");
  else await print(createTable(columns, process.stdout.columns ?? Number.POSITIVE_INFINITY)(view.held));
  for (const outage of view.outages)
    note(`${outage.bot}: without its database since ${timeOf(outage.sinceMicros)}${lossOf(outage)}`);
  for (const outage of view.ended)
    note(`${outage.bot}: an outage that ended ${timeOf(outage.untilMicros)} is not on record yet`);
  for (const { folder, damage } of view.quarantine) {
    const found =
      damage &&
      `: ${damage.why}; ${count(damage.kept)} records kept, ${damage.lost ?? "nobody knows how many"} lost`;
    note(`damaged files are in ${folder}${found ?? ""}`);
  }
}

function lossOf({ lost }: Outage): string {
  if (lost === 0) return "";
  return lost === null ? ", and records are lost, nobody knows how many" : `, ${count(lost)} records lost`;
}

function timeOf(micros: number): string {
  return new Date(micros / 1000).toISOString();
}

const columns: readonly Column<Held>[] = [
  { title: "BOT", maxWidth: 26, text: ({ bot }) => bot },
  { title: "JOURNAL", maxWidth: 13, text: ({ journal }) => journal },
  { title: "RECORDS", maxWidth: 12, text: ({ entries }) => count(entries) },
  { title: "SIZE", maxWidth: 10, text: ({ bytes }) => size(bytes) },
  { title: "REFUSED", maxWidth: 10, text: ({ refused }) => count(refused) },
  {
    title: "OLDEST",
    maxWidth: 24,
    text: ({ oldestMicros }) => (oldestMicros === null ? "" : timeOf(oldestMicros)),
  },
];
