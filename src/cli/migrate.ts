import { Command } from "commander";
import { StartupError } from "../startupError.ts";
import { printLine } from "./output/stdout.ts";

export function migrateCommand(): Command {
  return new Command("migrate")
    .description(
      "Bring the database at DATABASE_URL to this version, as the administrator at DATABASE_ADMIN_URL.",
    )
    .option("--json", "answer in JSON")
    .addHelpText(
      "after",
      `
Migrations run in order, each in a transaction of its own; one process migrates at a time, so it is safe to
start this more than once. The role of DATABASE_URL gets what the service needs, and no more. Without
DATABASE_URL the database is the embedded one, which governance serve migrates by itself.

Example:
  DATABASE_URL=postgresql://governance@db/governance DATABASE_ADMIN_URL=postgresql://postgres@db/governance \\
    governance migrate`,
    )
    .action(runMigrations);
}

async function runMigrations(options: { readonly json?: true }): Promise<void> {
  const { databaseSettings } = await import("../config.ts");
  const { migrate } = await import("../db/migrate.ts");
  const database = databaseSettings(process.env);
  if (database.kind === "embedded") {
    if (options.json) await printLine(JSON.stringify({ database: "embedded", ran: [] }));
    else await printLine("the database is the embedded one: governance serve migrates it when it starts");
    return;
  }
  if (database.adminUrl === undefined) {
    throw new StartupError(
      "DATABASE_ADMIN_URL: is not set; migrations run as the administrator of the database",
    );
  }
  const role = decodeURIComponent(new URL(database.url).username);
  const ran = await migrate({ connectionString: database.adminUrl }, role);
  if (options.json) {
    await printLine(JSON.stringify({ database: "external", role, ran }));
  } else if (ran.length === 0) {
    await printLine(`nothing to do: the database is at this version, and ${role} may serve with it`);
  } else {
    for (const name of ran) await printLine(`ran ${name}`);
    await printLine(`the database is at this version, and ${role} may serve with it`);
  }
}
