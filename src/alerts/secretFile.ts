import { readFileSync } from "node:fs";
import { sqlState } from "../db/pool.ts";
import { StartupError } from "../startupError.ts";

/** The one line of a file. What it holds is never said. Throws a StartupError that names the setting. */
export function secretLine(setting: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw refused(setting, path, `cannot be read (${sqlState(cause) ?? "unknown"})`);
  }
  if (/^[\x21-\x7e]{1,4096}$/.test(text)) return text;
  throw refused(setting, path, "must hold one line of ASCII without spaces");
}

const prefix = "whsec_";
const keyBytes = { min: 24, max: 64 };

/** The key of a webhook's signatures: whsec_ and 24 to 64 bytes in base64. Throws a StartupError. */
export function webhookKey(setting: string, path: string): Buffer {
  const line = secretLine(setting, path);
  const key = Buffer.from(line.slice(prefix.length), "base64");
  const isRight =
    line.startsWith(prefix) &&
    key.toString("base64") === line.slice(prefix.length) &&
    key.length >= keyBytes.min &&
    key.length <= keyBytes.max;
  if (isRight) return key;
  throw refused(
    setting,
    path,
    `must hold ${prefix} and ${keyBytes.min} to ${keyBytes.max} bytes in base64: echo "${prefix}$(openssl rand -base64 32)"`,
  );
}

function refused(setting: string, path: string, problem: string): StartupError {
  return new StartupError(`GOVERNANCE_CONFIG_FILE: ${setting}: ${path} ${problem}`);
}
