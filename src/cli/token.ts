import { Command, InvalidArgumentError, Option } from "commander";
import { dataDir } from "../config.ts";
import { developmentToken, loadDevelopmentKey } from "../keys/developmentKey.ts";
import { isRole, type Role, roles } from "../server/access.ts";
import { developmentSubject } from "./connection/token.ts";
import { note, printLine } from "./output/stdout.ts";
import { wallet } from "./values.ts";

type TokenOptions = {
  readonly role: readonly Role[];
  readonly wallet?: string;
  readonly subject: string;
  readonly ttl: number;
};

export function tokenCommand(): Command {
  return new Command("token")
    .description(
      "Print a development token, alone on stdout. Works for a service that has no keys configured.",
    )
    .addOption(
      new Option("--role <role>", "may be given several times")
        .choices(roles)
        .argParser(collectRole)
        .makeOptionMandatory(),
    )
    .option("--wallet <0x…>", "the wallet a token with the role user reads", wallet)
    .option("--subject <name>", "who the token is for", subject, developmentSubject)
    .addOption(
      new Option("--ttl <duration>", "how long it is good, e.g. 30m, 1h, 7d")
        .argParser(duration)
        .default(3600, "1h"),
    )
    .addHelpText(
      "after",
      `
It is signed with the key in the data folder (GOVERNANCE_DATA_DIR, default .governance), which is made there
if need be. The other commands make such tokens by themselves.

Examples:
  export GOVERNANCE_TOKEN=$(governance token --role compliance --ttl 8h)
  governance token --role user --wallet 0xdeadbeef00000000000000000000000000000001`,
    )
    .action(token);
}

async function token({ role, wallet, subject, ttl }: TokenOptions): Promise<void> {
  const { signing } = loadDevelopmentKey(dataDir(process.env));
  if (process.env.GOVERNANCE_JWKS) {
    note("GOVERNANCE_JWKS is set: a service with these settings does not accept development tokens");
  }
  await printLine(await developmentToken(signing, { subject, roles: role, wallet, ttlSeconds: ttl }));
}

function collectRole(value: string, before: readonly Role[] | undefined): readonly Role[] {
  if (!isRole(value)) throw new InvalidArgumentError(`Allowed choices are ${roles.join(", ")}.`);
  return [...(before ?? []), value];
}

function subject(value: string): string {
  if (value === "" || value.length > 256) throw new InvalidArgumentError("Must have 1 to 256 characters.");
  return value;
}

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function duration(value: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(value);
  const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] ?? ""] ?? Number.NaN);
  if (!(seconds > 0)) throw new InvalidArgumentError("Must be a number and s, m, h or d, e.g. 1h.");
  return seconds;
}
