import { Command, CommanderError } from "commander";
import { StartupError } from "../startupError.ts";
import { version } from "../version.ts";
import { beginEpochCommand } from "./beginEpoch.ts";
import { breakGlassCommand } from "./breakGlass.ts";
import { checkWriteCommand } from "./checkWrite.ts";
import { configCommand } from "./config.ts";
import { CliError, exitCodes, exitCodesHelp } from "./exitCodes.ts";
import { exportCommand } from "./export.ts";
import { holdCommand } from "./hold.ts";
import { listCommand } from "./list.ts";
import { migrateCommand } from "./migrate.ts";
import { shown } from "./output/cell.ts";
import { flushed, note, watchBrokenPipe } from "./output/stdout.ts";
import { policyCommand } from "./policy.ts";
import { purgeCommand } from "./purge.ts";
import { recordCommand } from "./record.ts";
import { replayCommand } from "./replay.ts";
import { scrubCommand } from "./scrub.ts";
import { serveCommand } from "./serve.ts";
import { sessionCommand } from "./session.ts";
import { spoolCommand } from "./spool.ts";
import { tailCommand } from "./tail.ts";
import { tokenCommand } from "./token.ts";
import { versionCommand } from "./version.ts";

/** The command `governance`. Exit codes are those of exitCodes.ts; an error is one line on stderr. */
function createProgram(): Command {
  const program = new Command("governance")
    .description("The audit ledger and the change gate of a trading fleet.")
    .version(version)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`governance: ${oneLine(text.replace(/^error: /, ""))}\n`),
    })
    .addHelpText(
      "after",
      `
${exitCodesHelp}

Getting started:
  governance serve                           the service, with its own Postgres in .governance/
  governance record --wallet 0x… --session-id sess_1 --action-type HALT
  governance check-write --bot risk.liquidityguard --param max_position_pusd --new 7500 --editor alice
  governance list
  governance session sess_1
  governance export --output actions.jsonl

governance <command> --help tells all about one of them.`,
    );
  const groups = [
    [
      "The service:",
      [
        serveCommand(),
        migrateCommand(),
        beginEpochCommand(),
        scrubCommand(),
        spoolCommand(),
        tokenCommand(),
        versionCommand(),
      ],
    ],
    [
      "Its clients:",
      [
        recordCommand(),
        checkWriteCommand(),
        configCommand(),
        policyCommand(),
        listCommand(),
        sessionCommand(),
        exportCommand(),
        tailCommand(),
        replayCommand(),
        breakGlassCommand(),
        holdCommand(),
        purgeCommand(),
      ],
    ],
  ] as const;
  for (const [title, commands] of groups) {
    program.commandsGroup(title);
    for (const command of commands) {
      program.addCommand(command.copyInheritedSettings(program));
      for (const one of command.commands) one.copyInheritedSettings(command);
    }
  }
  return program;
}

function oneLine(text: string): string {
  return shown(text.trim().replace(/\s*\n\s*/g, " "));
}

/** The exit code of an error, after its line was printed. Rethrows a defect, so that its stack is seen. */
function exitCodeOf(cause: unknown): number {
  if (cause instanceof CommanderError) return cause.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (!(cause instanceof CliError) && !(cause instanceof StartupError)) throw cause;
  note(oneLine(cause.message));
  return cause instanceof CliError ? cause.exitCode : exitCodes.cannotStart;
}

watchBrokenPipe();
// bin/governance.js holds this channel open while it lives: if it is killed, the command must not go on alone.
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref(); // It alone is no reason to stay.

try {
  await createProgram().parseAsync();
} catch (cause) {
  process.exitCode = exitCodeOf(cause);
}
await flushed();
process.exit();
