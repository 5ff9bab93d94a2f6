import { readFileSync } from "node:fs";
import { sqlState } from "../db/pool.ts";
import { StartupError } from "../startupError.ts";
import type { JiraSettings, WebhookSettings } from "./settings.ts";

/** The token that the ticket system is asked with; undefined without a file. Throws a StartupError. */
export function loadToken(settings: JiraSettings | WebhookSettings): string | undefined {
  const path = settings.token_file;
  if (path === undefined) return undefined;
  const refuse = (problem: string) =>
    new StartupError(`GOVERNANCE_CONFIG_FILE: tickets.token_file: ${path} ${problem}`);
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw refuse(`cannot be read (${sqlState(cause) ?? "unknown"})`);
  }
  // What it holds is not said, whatever it is.
  if (!/^[\x21-\x7e]{1,4096}$/.test(token))
    throw refuse("must hold one line of ASCII without spaces: the token");
  if (settings.system === "jira" && settings.auth === "basic" && !/^[^:]+:.+/.test(token)) {
    throw refuse(
      "must hold e-mail:token for Jira's basic authentication; set auth: bearer for a personal access token",
    );
  }
  return token;
}
