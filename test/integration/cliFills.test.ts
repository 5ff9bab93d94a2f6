import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerAs } from "../support/callers.ts";
import { envOf, runCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { action } from "./ledger/actions.ts";
import { fill } from "./ledger/fillReports.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("evt_1", { traceId: "trc_1" }));
  await bot.recordExecutionReport(fill("t_1", "o_1", { traceId: "trc_1" }));
  await bot.recordExecutionReport(fill("t_1", "o_1", { status: "TRADE_STATUS_MINED" }));
  await bot.recordExecutionReport(fill("t_2", "o_2"));
});
afterAll(() => service[Symbol.asyncDispose]());

const governance = (...args: string[]) => runCli(args, { env: envOf(service) });

test("list --fills shows a fill with its later statuses and what it is linked to, newest first", async () => {
  const run = await governance("list", "--fills", "--fill-id", "t_1:o_1");
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const lines = run.stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^RECORDED AT +FILL +STATUS +SIDE +SIZE +PRICE +LINKED TO$/);
  expect(lines.slice(1).map((line) => line.split(/ +/).slice(1))).toEqual([
    ["t_1:o_1", "MINED", "BUY", "10.50", "0.52", "evt_1"],
    ["t_1:o_1", "MATCHED", "BUY", "10.50", "0.52", "evt_1"],
  ]);
  const json = await governance("list", "--fills", "--order-id", "o_2", "--json");
  expect(
    json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).fill_id),
  ).toEqual(["t_2:o_2"]);
});

test("export --fills writes them all as JSONL, oldest first", async () => {
  const output = join(service.dataDir, "fills.jsonl");
  const run = await governance("export", "--fills", "--output", output);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const lines = (await readFile(output, "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line)).map((one) => [one.fill_id, one.report.status])).toEqual([
    ["t_1:o_1", "MATCHED"],
    ["t_1:o_1", "MINED"],
    ["t_2:o_2", "MATCHED"],
  ]);
});

test("a filter of other records is refused, and so are two kinds at once", async () => {
  expect(await governance("list", "--order-id", "o_1")).toMatchObject({
    exitCode: 2,
    stderr: "governance: --order-id is a filter of fills: add --fills\n",
  });
  expect(await governance("export", "--fills", "--action-type", "HALT")).toMatchObject({
    exitCode: 2,
    stderr: "governance: --action-type is a filter of user actions: leave out --fills\n",
  });
  expect((await governance("list", "--fills", "--changes")).exitCode).toBe(2);
});
