import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerAs } from "../support/callers.ts";
import { type CliRun, envOf, runCli, startCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";

const wallet = "0xdeadbeef00000000000000000000000000000001";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

function governance(
  args: readonly string[],
  options: { stdin?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CliRun> {
  const { env, ...rest } = options;
  return runCli(args, { env: { ...envOf(service), ...env }, ...rest });
}

test.concurrent("a list pages through all records, and tells when its limit left some out", async () => {
  const session = "sess_pages";
  const bot = await ledgerAs(service, "bot");
  const ids = Array.from({ length: 450 }, (_, i) => `page_${i}`);
  await Promise.all(
    ids.map((eventId) => bot.recordUserAction({ eventId, wallet, sessionId: session, actionType: "HALT" })),
  );
  const all = await governance(["list", "--session-id", session, "--limit", "all", "--json"]);
  expect(all).toMatchObject({ exitCode: 0, stderr: "" });
  const listed = all.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).report.event_id);
  expect(new Set(listed)).toEqual(new Set(ids));
  expect(listed).toHaveLength(ids.length);
  const some = await governance(["list", "--session-id", session, "--limit", "201", "--json"]);
  expect(some.stdout.trimEnd().split("\n")).toHaveLength(201);
  expect(some.stderr).toContain("more than these 201");
});

test.concurrent("a table has one line a record, whatever the record contains", async () => {
  const hostile = 'a\u001b[2J\r\nb\u2028c\u202e"d';
  const file = JSON.stringify({
    event_id: hostile,
    wallet,
    session_id: "sess_table",
    action_type: "HALT",
    params: { hostile },
  });
  expect((await governance(["record", "--json", "-"], { stdin: file })).exitCode).toBe(0);
  const run = await governance(["list", "--session-id", "sess_table"]);
  const lines = run.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^RECORDED AT +ACTION +WALLET +SESSION +EVENT +PARAMS$/);
  expect(lines[1]).toContain('a\\x1b[2J\\x0d\\x0ab\\u2028c\\u202e"d');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
  expect(run.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u2028\u202e]/);
});

test.concurrent("a user lists summaries of their own wallet", async () => {
  const own = "0x00000000000000000000000000000000000000AA";
  await governance([
    "record",
    "--wallet",
    own,
    "--session-id",
    "s",
    "--action-type",
    "HALT",
    "--params",
    '{"secret":1}',
  ]);
  const token = await service.token({ roles: ["user"], wallet: own });
  const run = await governance(["list", "--token", token]);
  expect(run.exitCode).toBe(0);
  expect(run.stdout).toMatch(/^RECORDED AT +ACTION +SUMMARY\n/);
  expect(run.stdout).toContain("You halted trading.");
  expect(run.stdout).not.toContain("secret");
  expect(run.stderr).toBe("governance: Your complete activity history is available for the past 7 years.\n");
});

test.concurrent("filters choose records, and those of the other kind are bad usage", async () => {
  await governance(["check-write", "--bot", "x.y", "--param", "p1", "--editor", "bob", "--new", "1"]);
  await governance(["check-write", "--bot", "x.y", "--param", "p2", "--editor", "eve", "--new", "1"]);
  const filters = [
    "--bot",
    "X.Y",
    "--editor",
    "eve",
    "--tier",
    "P2",
    "--verdict",
    "ALLOW",
    "--from",
    "2020-01-01",
  ];
  const run = await governance(["list", "--changes", ...filters, "--json"]);
  expect(
    run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).report.param_name),
  ).toEqual(["p2"]);
  const early = await governance(["list", "--changes", "--to", "2020-01-01"]);
  expect(early).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "governance: no parameter changes found\n",
  });
  const wrong = await governance(["list", "--bot", "x.y"]);
  expect(wrong).toMatchObject({
    exitCode: 2,
    stderr: "governance: --bot is a filter of parameter changes: add --changes\n",
  });
});

test.concurrent("a reader that goes away ends the command quietly", async () => {
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction({ eventId: "gone", wallet, sessionId: "sess_gone", actionType: "HALT" });
  const { child, done } = startCli(["list", "--limit", "all", "--json"], { env: envOf(service) });
  child.stdout?.once("data", () => child.stdout?.destroy());
  expect(await done).toMatchObject({ exitCode: 0, stderr: "" });
});
