import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { auditorAs, ledgerAs } from "./callers.ts";
import { type CliRun, envOf, runCli } from "./cli.ts";
import { parseExact, readExport } from "./exportReader.ts";
import type { TestService } from "./service.ts";

type Json = Record<string, unknown>;

/** `governance replay` against a service, and what is on record afterwards. */
export function replaying(service: () => TestService) {
  return {
    /** Writes a file to replay; its path. */
    async file(name: string, content: string | Buffer): Promise<string> {
      const path = join(service().dataDir, name);
      await writeFile(path, content);
      return path;
    },
    replay(paths: readonly string[], ...more: string[]): Promise<CliRun> {
      return runCli(["replay", ...paths, ...more], { env: envOf(service()) });
    },
    /** Exported user actions of a session, their numbers as they are spelt. */
    async actionsOf(sessionId: string): Promise<Json[]> {
      const compliance = await ledgerAs(service(), "compliance");
      return (await readExport(compliance.exportUserActions({ sessionId }))).lines.map(exactObject);
    },
    /** Exported parameter changes of a bot. */
    async changesOf(botSlug: string): Promise<Json[]> {
      const compliance = await auditorAs(service(), "compliance");
      return (await readExport(compliance.exportParameterChanges({ botSlug }))).lines.map(exactObject);
    },
  };
}

/** The summary of the only file replayed with --json. */
export function summary(run: CliRun): Json {
  const { files } = JSON.parse(run.stdout);
  expect(files).toHaveLength(1);
  return files[0];
}

/** A line as an object, its numbers as they are spelt. */
export function exactObject(line: string): Json {
  const value = parseExact(line);
  if (typeof value !== "object" || value === null) throw new Error("a line is not an object");
  return { ...value };
}

/** A CloudTrail event; `rest` is JSON that stands behind its other members. */
export function event(id: string, principal: string, rest: string): string {
  const members = `"eventName":"GetUser","eventTime":"2023-07-10T23:59:59Z","userIdentity":{"arn":"${principal}"}`;
  return `{"eventID":"${id}",${members}${rest}}`;
}

/** A parameter change to a whole number. */
export function changeRow(bot: string, param: string, value: number): string {
  const values = `"old_value":"${value - 1}","new_value":"${value}"`;
  const members = `"editor_id":"ed","changed_at":"2023-11-01T18:59:00Z"`;
  return `{"bot_slug":"${bot}","param_name":"${param}",${values},${members}}`;
}
