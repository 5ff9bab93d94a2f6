import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { StartupError } from "../startupError.ts";
import { asAdministrator } from "./administrator.ts";
import { count } from "./output/count.ts";
import { printLine } from "./output/stdout.ts";

/** `governance scrub`. */
export function scrubCommand(): Command {
  return new Command("scrub")
    .description("Scrub again what a restored database has of accounts that had been scrubbed.")
    .helpCommand(false)
    .addCommand(reapplyCommand());
}

function reapplyCommand(): Command {
  return new Command("reapply")
    .description("Scrub the accounts that the files name by what stands for their wallets (scrubbed:…).")
    .argument("<file...>", "scrubs.jsonl of each replica's data folder, or any other text that names them")
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
After a restore from a backup: a wallet that was scrubbed since is there again. Each replica notes the scrubs it makes in
scrubs.jsonl in its data folder; the answers of CloseAccount and the reports ACCOUNT_SCRUBBED say the same. It needs the
replicas' key: GOVERNANCE_SCRUB_KEY_FILE, or the one in GOVERNANCE_DATA_DIR. It can be repeated, and a service may run.

Example:
  DATABASE_URL=postgresql://governance@db/governance DATABASE_ADMIN_URL=postgresql://postgres@db/governance \\
    governance scrub reapply /mnt/replica-*/scrubs.jsonl`,
    )
    .action(reapply);
}

async function reapply(files: readonly string[], options: { readonly json?: true }): Promise<void> {
  const { dataDir } = await import("../config.ts");
  const { systemClock } = await import("../clock.ts");
  const { loadRecordKey } = await import("../keys/recordKey.ts");
  const { createRecordIds } = await import("../recordIds.ts");
  const { reapplyScrubs } = await import("../ledger/scrub/reapply.ts");
  const keyFile = process.env.GOVERNANCE_SCRUB_KEY_FILE || join(dataDir(process.env), "scrub.key");
  if (!existsSync(keyFile)) {
    throw new StartupError(
      `GOVERNANCE_SCRUB_KEY_FILE: ${keyFile} is not there; name the key file of the replicas`,
    );
  }
  const key = loadRecordKey(keyFile, dataDir(process.env));
  const identities = await identitiesOf(files);
  const clock = systemClock();
  const recordId = createRecordIds(clock);
  const { nowMicros } = clock;
  const reapplied = await asAdministrator(process.env, (admin) =>
    reapplyScrubs({ admin, key, identities, recordId, nowMicros }),
  );
  if (options.json) return printLine(JSON.stringify(reapplied));
  const { scrubbed, records, held, absent, before } = reapplied;
  await printLine(
    `${count(identities.size)} accounts: ${count(scrubbed)} scrubbed (${count(records)} records), ${count(before)} before, ${count(absent)} not on record, ${count(held)} under a legal hold`,
  );
}

async function identitiesOf(files: readonly string[]): Promise<ReadonlySet<string>> {
  const { identitiesIn } = await import("../ledger/scrub/receiptsFile.ts");
  const all = new Set<string>();
  for (const file of files) {
    const found = await identitiesIn(file).catch((cause: unknown) => {
      throw new StartupError(`${file} cannot be read (${cause instanceof Error ? cause.message : cause})`);
    });
    for (const identity of found) all.add(identity);
  }
  return all;
}
