import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerAs } from "../support/callers.ts";
import { type CliRun, envOf, runCli } from "../support/cli.ts";
import { fileExport } from "../support/fileExport.ts";
import { refusalOf } from "../support/refusal.ts";
import { startTestService, type TestService } from "../support/service.ts";

const wallet = "0xdeadbeef00000000000000000000000000000001";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
  const bot = await ledgerAs(service, "bot");
  const send = (eventId: string, actionType: string, sessionSeq: number, more: object = {}) =>
    bot.recordUserAction({
      eventId,
      wallet,
      sessionId: "sess_1",
      actionType,
      sessionSeq: BigInt(sessionSeq),
      ...more,
    });
  await send("evt_1", "STRATEGY_START", 1, { traceId: "trc" });
  await bot.recordExecutionReport({
    fillId: "fill_1",
    traceId: "trc",
    side: "BUY",
    size: "10",
    price: "0.52",
  });
  await send("evt_5", "HALT", 5);
  await refusalOf(send("evt_5", "KILL_SWITCH", 5, { params: { a: "\u001b[2J" } }));
  const user = await ledgerAs(service, "user", { subject: "uma", wallet });
  await refusalOf(user.listUserActions({ wallet: wallet.replace(/1$/, "2") }));
});
afterAll(() => service[Symbol.asyncDispose]());

function governance(...args: string[]): Promise<CliRun> {
  return runCli(args, { env: envOf(service) });
}

/** The lines of a table without its title, blanks between columns made one. */
function rowsOf({ stdout }: CliRun): string[] {
  return stdout
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.replaceAll(/ +/g, " "));
}

const time = "\\d{4}-\\d\\d-\\d\\dT[\\d:.]{12}Z";

test("a session's story has a line for each action and fill, and says what is missing", async () => {
  const run = await governance("session", "sess_1");
  expect(run.stdout).toMatch(/^RECORDED AT +NO +WHAT +ID +STORY\n/);
  expect(rowsOf(run)).toEqual([
    expect.stringMatching(new RegExp(`^${time} 1 STRATEGY_START evt_1 You started a strategy\\.$`)),
    expect.stringMatching(new RegExp(`^${time} fill fill_1 MATCHED: BUY 10 at 0.52, after evt_1$`)),
    expect.stringMatching(new RegExp(`^${time} 5 HALT evt_5 You halted trading\\.$`)),
  ]);
  expect(run).toMatchObject({
    exitCode: 0,
    stderr: "governance: missing from the session's numbered actions: 2-4\n",
  });
});

test("a session's story as JSON is whole, one line each", async () => {
  const run = await governance("session", "sess_1", "--json", "--limit", "2");
  const entries = run.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(entries).toMatchObject([
    { action: { report: { event_id: "evt_1" } } },
    { fill: { fill_id: "fill_1", report: { price: "0.52" } } },
  ]);
  expect(run.stderr).toContain("there are more than these 2");
});

test("a session that nobody knows is told as such, and one without a name is bad usage", async () => {
  expect(await governance("session", "nobody's\u001b[2J")).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "governance: no actions of the session nobody's\\x1b[2J found\n",
  });
  expect((await governance("session")).exitCode).toBe(2);
});

test("session gaps, refused events and the access log are listed, one line each", async () => {
  expect(rowsOf(await governance("list", "--gaps"))).toEqual([
    expect.stringMatching(new RegExp(`^${time} sess_1 2-4$`)),
  ]);
  const [conflict, ...others] = rowsOf(await governance("list", "--conflicts", "--event-id", "evt_5"));
  expect(others).toEqual([]);
  expect(conflict).toContain(" evt_5 tester stl_useractivityledger_");
  expect(conflict).toContain(`KILL_SWITCH ${wallet} sess_1 {"a":"\\u001b[2J"}`);
  const calls = rowsOf(await governance("list", "--access", "--outcome", "WALLET_NOT_ALLOWED"));
  expect(calls).toEqual([
    expect.stringMatching(
      new RegExp(`^${time} uma user UserActivityLedgerService/ListUserActions WALLET_NOT_ALLOWED {`),
    ),
  ]);
  const json = await governance("list", "--access", "--subject", "uma", "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({ subject: "uma", roles: ["user"] });
});

test("the access log is exported into a file, whole and checked", async () => {
  const to = fileExport(service, Buffer.alloc(0), ["--access", "--subject", "uma"]);
  const run = await to.run(service.grpcPort);
  expect(run).toMatchObject({ exitCode: 0, stderr: "", stdout: `${to.output}: 1 records, complete\n` });
  expect(JSON.parse((await to.bytes()).toString())).toMatchObject({ subject: "uma" });
});

test.each([
  [["list", "--gaps", "--conflicts"], "--conflicts and --gaps are different records: leave one out"],
  [
    ["list", "--gaps", "--from", "2026-05-09"],
    "--from is a filter of user actions, fills, parameter changes",
  ],
  [
    ["list", "--access", "--wallet", wallet],
    "--wallet is a filter of user actions, fills: leave out --access",
  ],
  [["list", "--access", "--bot", "b"], "say --changes in place of --access"],
  [["list", "--conflicts", "--session-id", "s"], "--session-id is a filter of user actions, session gaps"],
  [["list", "--event-id", "e"], "--event-id is a filter of refused events: add --conflicts"],
  [["export", "--outcome", "ALLOWED"], "--outcome is a filter of calls of the access log: add --access"],
  [["export", "--access", "--tier", "P0"], "--tier is a filter of parameter changes"],
  [["export", "--gaps"], "unknown option '--gaps'"],
])("%j is bad usage", async (args, message) => {
  const run = await governance(...args);
  expect(run).toMatchObject({ exitCode: 2, stdout: "" });
  expect(run.stderr).toContain(message);
});
