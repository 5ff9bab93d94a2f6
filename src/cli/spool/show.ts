import { relative, resolve } from "node:path";
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
content is shown: the bodies are in the table entry of spool/spool.db, for sqlite3. Several processes
(GOVERNANCE_PROCESSES) have a spool each.

Example:
  governance spool show --dir /srv/governance/.governance`,
    )
    .action(show);
}

async function show(options: ShowOptions): Promise<void> {
  const { dataDir } = await import("../../config.ts");
  const { viewSpool } = await import("../../journal/spool/view.ts");
  const { spoolFolders } = await import("../../processes/folders.ts");
  const dir = resolve(options.dir ?? dataDir(process.env));
  const own = viewSpool(spoolIn(dir));
  const others = spoolFolders(dir).slice(1).map(spoolIn);
  const processes = others.map((folder) => ({ folder, ...viewSpool(folder) }));
  if (options.json) await printLine(JSON.stringify(processes.length === 0 ? own : { ...own, processes }));
  else if (processes.length === 0) await tell([own]);
  else {
    const all = [{ folder: spoolIn(dir), ...own }, ...processes];
    await tell(all.map((view) => ({ ...view, folder: relative(dir, view.folder) })));
  }
}

/** Where the spool is, is told where there are several. */
type InFolder = { readonly folder?: string };

async function tell(views: readonly (SpoolView & InFolder)[]): Promise<void> {
  const rows = views.flatMap(({ folder, held }) =>
    held.map((each) => (folder === undefined ? each : { ...each, folder })),
  );
  const shown = views.length === 1 ? columns : [folderColumn, ...columns];
  if (rows.length === 0) await printLine("nothing waits");
  else await print(createTable(shown, process.stdout.columns ?? Number.POSITIVE_INFINITY)(rows));
  for (const view of views) tellMore(view);
}

function tellMore(view: SpoolView & InFolder): void {
  const where = view.folder === undefined ? "" : `${view.folder}: `;
  for (const outage of view.outages)
    note(`${where}${outage.bot}: without its database since ${timeOf(outage.sinceMicros)}${lossOf(outage)}`);
  for (const outage of view.ended)
    note(`${where}${outage.bot}: an outage that ended ${timeOf(outage.untilMicros)} is not on record yet`);
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

const folderColumn: Column<Held & InFolder> = {
  title: "SPOOL",
  maxWidth: 20,
  text: ({ folder }) => folder ?? "",
};

const columns: readonly Column<Held & InFolder>[] = [
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
