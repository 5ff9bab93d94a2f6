import { Command, InvalidArgumentError, Option } from "commander";
import { dataDir } from "../config.ts";
import { developmentToken, loadDevelopmentKey } from "../keys/developmentKey.ts";
import { roles } from "../server/access.ts";

export function tokenCommand(): Command {
  return new Command("token")
    .description("Print a development token, alone on stdout. Works for a service that has no keys configured.")
    .addOption(new Option("--role <role>", "may be given several times").choices(roles).argParser(collectRole).makeOptionMandatory())
    .option("--wallet <0x…>", "the wallet a user token reads", wallet)
    .option("--subject <name>", "who the token is for", "developer")
    .option("--ttl <duration>", "how long it is good, e.g. 30m, 1h, 7d", duration, 3600)
    .action(async (options: { role: string[]; wallet?: string; subject: string; ttl: number }) => {
      const { signing } = loadDevelopmentKey(dataDir(process.env));
      const { role, wallet, subject, ttl } = options;
      const token = await developmentToken(signing, { subject, roles: role, wallet, ttlSeconds: ttl });
      process.stdout.write(`${token}\n`);
    });
}

function collectRole(value: string, before: string[] | undefined): string[] {
  if (!(roles as readonly string[]).includes(value)) {
    throw new InvalidArgumentError(`Allowed roles are ${roles.join(", ")}.`);
  }
  return [...(before ?? []), value];
}

function wallet(value: string): string {
  if (!/^0x[0-9a-fA-F]{40}$/.test(value)) throw new InvalidArgumentError("Must be 0x and 40 hexadecimal digits.");
  return value;
}

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function duration(value: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(value);
  const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] ?? ""] ?? Number.NaN);
  if (!(seconds > 0)) throw new InvalidArgumentError("Must be a number and s, m, h or d, e.g. 1h.");
  return seconds;
}
