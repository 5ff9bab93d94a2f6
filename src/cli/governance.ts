import { Command } from "commander";
import { StartupError } from "../startupError.ts";
import { version } from "../version.ts";
import { serveCommand } from "./serve.ts";
import { tokenCommand } from "./token.ts";

const program = new Command("governance")
  .description("The audit ledger and the change gate of a trading fleet.")
  .version(version)
  .addCommand(serveCommand())
  .addCommand(tokenCommand());

try {
  await program.parseAsync();
} catch (cause) {
  if (!(cause instanceof StartupError)) throw cause;
  process.stderr.write(`governance: ${cause.message}\n`);
  process.exit(1);
}
