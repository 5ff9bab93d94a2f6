import { parseConfigFile } from "../../configFile.ts";
import { errorCode } from "../errorCode.ts";
import { CliError, exitCodes } from "../exitCodes.ts";
import { readInput } from "../values.ts";

/** Reads a config file, "-" for stdin. Throws a CliError when it cannot be read; mistakes are the answer's. */
export function readPolicyFile(path: string): ReturnType<typeof parseConfigFile> {
  let text: string;
  try {
    text = readInput(path);
  } catch (cause) {
    const code = errorCode(cause) ?? "no code";
    throw new CliError(exitCodes.cannotStart, `${path} cannot be read (${code})`, { cause });
  }
  return parseConfigFile(text);
}
