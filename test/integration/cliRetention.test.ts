import { afterAll, beforeAll, expect, test } from "vitest";
import { envOf, runCli } from "../support/cli.ts";
import { wallet, walletLowerCase } from "./ledger/actions.ts";
import { type Past, startPast } from "./retention/past.ts";

let past: Past;
beforeAll(async () => {
  past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "old");
  await past.act("2016-01-10T12:00:00Z", "held", { sessionId: "held" });
  past.comeBack();
});
afterAll(() => past[Symbol.asyncDispose]());

const governance = (...args: string[]) => runCli(args, { env: envOf(past.service) });

test("a hold is placed, listed and released, each told in words", async () => {
  const placed = await governance(
    "hold",
    "place",
    "matter-7",
    "--session-id",
    "held",
    "--to",
    "2017-01-01",
    "--reason",
    "matter 7",
  );
  expect(placed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(placed.stdout).toMatch(
    /^matter-7 {2}user activity of session held before 2017-01-01T00:00:00.000Z\n {2}placed \S+Z by developer: matter 7\n {2}in force: .+\n$/,
  );
  const other = await governance(
    "hold",
    "place",
    "matter-8",
    "--bot",
    "risk.guard",
    "--param",
    "limit",
    "--reason",
    "r",
    "--json",
  );
  expect(JSON.parse(other.stdout)).toMatchObject({
    hold_id: "matter-8",
    scope: { kind: "RECORD_KIND_PARAMETER_CHANGES", bot_slug: "risk.guard", param_name: "limit" },
  });
  const list = await governance("hold", "list");
  expect(list.stdout.split("\n").map((line) => line.split(/ +/)[0])).toEqual([
    "HOLD",
    "matter-8",
    "matter-7",
    "",
  ]);
  const released = await governance("hold", "release", "matter-8", "--reason", "closed");
  expect(released.stdout).toMatch(/\n {2}released \S+Z by developer: closed\n$/);
  expect((await governance("hold", "list", "--in-force")).stdout).not.toContain("matter-8");
});

test("a hold of a wallet is shown by it", async () => {
  const { stdout } = await governance(
    "hold",
    "place",
    "w",
    "--wallet",
    wallet,
    "--from",
    "2030-01-01",
    "--reason",
    "r",
  );
  expect(stdout).toContain(`user activity of wallet ${walletLowerCase} from 2030-01-01`);
});

test("a dry run tells in a table what a run would do, and changes nothing; the run does it", async () => {
  const dry = await governance("purge", "--dry-run");
  expect(dry.exitCode).toBe(0);
  expect(dry.stderr).toContain("governance: nothing was changed: this is what a run would do\n");
  expect(dry.stdout).toMatch(/^TABLE +MONTH +ACTION +RECORDS +HELD +RETAINED UNTIL\n/);
  expect(dry.stdout).toMatch(/^ledger\.user_action +2016-01 +DETACHED +1 +1 +2023-01-10$/m);
  expect(await past.eventIds()).toEqual(["old", "held"]);

  const run = await governance("purge");
  expect(run).toMatchObject({ exitCode: 0, stdout: dry.stdout });
  expect(run.stderr).toMatch(/^governance: run prg_\w{26}; what is DETACHED will be dropped in a week\n/);
  expect(await past.eventIds()).toEqual(["held"]);
  const json = JSON.parse((await governance("purge", "--json")).stdout);
  expect(json).toMatchObject({ dry_run: false, started_by: "developer" });
});

test.each([
  [
    "a hold without a reason",
    ["hold", "place", "h", "--bot", "b"],
    2,
    /required option '--reason <text>' not specified/,
  ],
  [
    "a hold of both kinds",
    ["hold", "place", "h", "--bot", "b", "--wallet", wallet, "--reason", "r"],
    2,
    /place two holds/,
  ],
  [
    "a hold of everything",
    ["hold", "place", "h", "--reason", "r"],
    5,
    /INVALID_FIELD: scope covers everything/,
  ],
  [
    "a hold that is another",
    ["hold", "place", "matter-7", "--bot", "b", "--reason", "r"],
    5,
    /HOLD_ID_CONFLICT: /,
  ],
  [
    "releasing what is not there",
    ["hold", "release", "none", "--reason", "r"],
    5,
    /NOT_FOUND: there is no hold "none"/,
  ],
  ["an unknown subcommand", ["hold", "lst"], 2, /unknown command 'lst'/],
])("%s is one line on stderr", async (_, args, exitCode, message) => {
  const run = await governance(...args);
  expect(run).toMatchObject({ exitCode, stdout: "" });
  expect(run.stderr).toMatch(/^governance: [^\n]*\n$/);
  expect(run.stderr).toMatch(message);
});

test("a purge that is refused says why, with exit code 5", async () => {
  past.clock.set("2016-01-10T12:00:00Z");
  const token = await past.service.token({ roles: ["operator"], ttlSeconds: 40 * 366 * 86_400 });
  const run = await runCli(["purge", "--token", token], { env: envOf(past.service) });
  past.comeBack();
  expect(run).toMatchObject({ exitCode: 5, stdout: "" });
  expect(run.stderr).toMatch(/^governance: PURGE_REFUSED: the clocks [^\n]+\n$/);
});

test("the help of each shows what it takes", async () => {
  for (const args of [["hold"], ["hold", "place"], ["hold", "release"], ["hold", "list"], ["purge"]]) {
    const { exitCode, stdout } = await governance(...args, "--help");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Usage: governance (hold|purge)/);
  }
  expect((await governance("--help")).stdout).toMatch(/^ {2}hold .*\n(.*\n)* {2}purge /m);
});
