import { Command } from "commander";
import { policyCheckCommand } from "./policy/check.ts";
import { policyReplayCommand } from "./policy/replay.ts";
import { policyShadowCommand } from "./policy/shadow.ts";

export function policyCommand(): Command {
  return new Command("policy")
    .description("Check a policy before it is used, and see what it would do.")
    .addCommand(policyCheckCommand())
    .addCommand(policyReplayCommand())
    .addCommand(policyShadowCommand());
}
