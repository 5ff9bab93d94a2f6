import { Command } from "commander";
import { count } from "../output/count.ts";
import { note, printLine } from "../output/stdout.ts";
import { spoolIn } from "./folder.ts";

/** `governance spool retry`. */
export function spoolRetryCommand(): Command {
  return new Command("retry")
    .description("Let refused records of a replica that is stopped wait again, to be tried once more.")
    .option("--dir <dir>", "the replica's data folder (default: GOVERNANCE_DATA_DIR)")
    .addHelpText(
      "after",
      `
They are tried when the replica is started, or its spool drained. What the database still refuses is refused again.

Example:
  governance spool retry --dir /srv/governance/.governance`,
    )
    .action(retry);
}

async function retry(options: { readonly dir?: string }): Promise<void> {
  const { dataDir } = await import("../../config.ts");
  const { lockDataFolder, spoolFolders } = await import("../../processes/folders.ts");
  const { systemClock } = await import("../../clock.ts");
  const { createRecordIds } = await import("../../recordIds.ts");
  const { openSpoolFile } = await import("../../journal/spool/spoolFile.ts");
  const dir = options.dir ?? dataDir(process.env);
  spoolIn(dir);
  await using lock = await lockDataFolder(dir);
  const clock = systemClock();
  let retried = 0;
  for (const folder of spoolFolders(lock.path)) {
    const file = openSpoolFile(spoolIn(folder), createRecordIds(clock), clock.nowMicros);
    retried += file.retry(clock.nowMicros());
    file.close();
    if (file.damage !== undefined) {
      note(`the spool was damaged (${file.damage.why}); its files are in ${file.damage.quarantine}`);
    }
  }
  await printLine(
    retried === 0
      ? "no record is refused"
      : `${count(retried)} refused records wait again: start the replica, or governance spool drain ${dir}`,
  );
}
