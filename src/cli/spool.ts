import { Command } from "commander";
import { spoolDrainCommand } from "./spool/drain.ts";
import { spoolRetryCommand } from "./spool/retry.ts";
import { spoolShowCommand } from "./spool/show.ts";

export function spoolCommand(): Command {
  return new Command("spool")
    .description(
      "Look into a replica's spool, drain one that a dead replica left, try refused records again.",
    )
    .addCommand(spoolShowCommand())
    .addCommand(spoolDrainCommand())
    .addCommand(spoolRetryCommand());
}
