import { existsSync } from "node:fs";
import { dataDir } from "../../config.ts";
import { developmentKeyPath, developmentToken, loadDevelopmentKey } from "../../keys/developmentKey.ts";
import type { Role } from "../../server/access.ts";
import { CliError, exitCodes } from "../exitCodes.ts";

/** Where a command's token comes from. */
export type TokenSource = {
  readonly kind: "given" | "development";
  /** The token for a call that is made now. Throws a CliError. */
  get(): Promise<string>;
};

/** As `governance token` has it: a write_id is scoped to the subject, so both must be the same. */
export const developmentSubject = "developer";

/** How long a development token is good that a command makes for itself. */
const ttlSeconds = 600;

/** The given token, or development tokens with the role; a long command gets a new one in time. */
export function tokenSource(given: string | undefined, role: Role): TokenSource {
  if (given !== undefined && given !== "") {
    return {
      kind: "given",
      async get() {
        if (/^[\w.~+/=-]+$/.test(given)) return given;
        throw new CliError(exitCodes.usage, "--token (GOVERNANCE_TOKEN) has characters that no token has");
      },
    };
  }
  let token: Promise<string> | undefined;
  let renewAtMs = 0;
  return {
    kind: "development",
    get() {
      if (token === undefined || performance.now() > renewAtMs) {
        token = mint(role);
        renewAtMs = performance.now() + (ttlSeconds * 1000) / 2;
      }
      return token;
    },
  };
}

async function mint(role: Role): Promise<string> {
  const folder = dataDir(process.env);
  if (!existsSync(developmentKeyPath(folder))) {
    throw new CliError(
      exitCodes.cannotStart,
      `no token: give --token or GOVERNANCE_TOKEN with the role ${role} (there is no development key in ${folder} to make one with)`,
    );
  }
  const { signing } = loadDevelopmentKey(folder);
  return developmentToken(signing, {
    subject: developmentSubject,
    roles: [role],
    wallet: undefined,
    ttlSeconds,
  });
}
