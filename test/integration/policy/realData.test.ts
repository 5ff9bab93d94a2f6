import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { envOf, runCli } from "../../support/cli.ts";
import { startTestService, type TestService } from "../../support/service.ts";

/** Real histories that nobody here wrote, kept beside the project; where tests have to be complete they must be there. */
const data = new URL("../../../../shared/data/parameter-changes/", import.meta.url);
const hasData = existsSync(data);

type Row = {
  bot_slug: string;
  param_name: string;
  editor_id: string;
  ticket_ref?: string;
};

/** The first rows of a history; every third has lost its ticket, as all of them have one. */
function rowsOf(file: string, count: number): Row[] {
  const lines = gunzipSync(readFileSync(new URL(file, data)))
    .toString()
    .split("\n");
  return lines.slice(0, count).map((line, i) => {
    const row: Row = JSON.parse(line);
    if (i % 3 === 0) delete row.ticket_ref;
    return row;
  });
}

const nameOf = ({ bot_slug, param_name }: Row) =>
  `${bot_slug}.${param_name}`.toLowerCase().replaceAll(/[_-]/g, "");
const isBare = ({ ticket_ref }: Row) => ticket_ref === undefined;

describe.skipIf(!hasData && !process.env.CI)("the real histories", () => {
  let service: TestService;
  let rows: Row[];
  beforeAll(async () => {
    service = await startTestService({ config: 'tiers: { "aave*": P1 }' });
    rows = [...rowsOf("aave.jsonl.gz", 1000), ...rowsOf("cosmos.jsonl.gz", 500)];
    const path = join(service.dataDir, "changes.jsonl");
    await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const run = await runCli(["replay", path, "--json"], { env: envOf(service) });
    expect(JSON.parse(run.stdout).files).toMatchObject([{ recorded: rows.length, refused: 0 }]);
  }, 60_000);
  afterAll(() => service?.[Symbol.asyncDispose]());

  const wasRejected = (row: Row) => isBare(row) && nameOf(row).startsWith("aave");

  test("replayed against another policy change the verdicts that their names and tickets say", async () => {
    const file = join(service.dataDir, "policy.yaml");
    await writeFile(file, 'tiers: { "*.usdc.*": P0, "*.images": P1 }\n');
    const isRejected = (row: Row) =>
      isBare(row) && (nameOf(row).includes(".usdc.") || nameOf(row).endsWith(".images"));
    const changed = rows.filter((row) => wasRejected(row) !== isRejected(row));
    expect(changed.some(isRejected)).toBe(true);
    expect(changed.some(wasRejected)).toBe(true);

    const run = await runCli(["policy", "replay", file, "--json"], { env: envOf(service) });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    const lines = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { summary } = lines.pop();
    const told = (name: string, verdict: string) => `${name} ${verdict}`;
    expect(
      lines.map((line) => told(`${line.audited_bot}.${line.param_name}`, line.new_verdict)).sort(),
    ).toEqual(
      changed
        .map((row) => told(`${row.bot_slug}.${row.param_name}`, isRejected(row) ? "REJECT" : "ALLOW"))
        .sort(),
    );
    const count = (was: boolean, is: boolean) =>
      rows.filter((row) => wasRejected(row) === was && isRejected(row) === is).length;
    expect(summary).toMatchObject({
      judged: rows.length,
      changed: changed.length,
      verdicts: {
        ALLOW_TO_ALLOW: count(false, false),
        ALLOW_TO_REJECT: count(false, true),
        REJECT_TO_ALLOW: count(true, false),
        REJECT_TO_REJECT: count(true, true),
      },
    });
  });

  test("in shadow_only show what enforce would have rejected, by bot, parameter and editor", async () => {
    const run = await runCli(["policy", "shadow", "--json"], { env: envOf(service) });
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    const lines = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { summary } = lines.pop();
    const keyOf = (row: Row) => JSON.stringify([row.bot_slug, row.param_name, row.editor_id]);
    const counted = (some: readonly Row[]) => {
      const counts = new Map<string, number>();
      for (const row of some) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1);
      return counts;
    };
    const rejected = rows.filter(wasRejected);
    const of = (member: "rejected" | "writes") =>
      new Map(
        lines.map((line) => [
          JSON.stringify([line.audited_bot, line.param_name, line.editor_id]),
          line[member],
        ]),
      );
    expect(of("rejected")).toEqual(counted(rejected));
    for (const [key, writes] of of("writes")) expect(counted(rows).get(key), key).toBe(writes);
    expect(summary).toMatchObject({
      writes: rows.length,
      in_shadow_only: rows.length,
      rejected: rejected.length,
    });
  });
});
