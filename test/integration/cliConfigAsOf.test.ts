import { afterAll, beforeAll, expect, test } from "vitest";
import { WriteOutcome } from "../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../support/callers.ts";
import { type CliRun, envOf, runCli } from "../support/cli.ts";
import { stoppedClock } from "../support/clock.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { recordedWrite } from "./auditor/patiently.ts";
import { write } from "./auditor/writes.ts";

const clock = stoppedClock("2026-05-09T10:00:00Z");
const botSlug = "risk.liquidityguard";
let service: TestService;
let store: AuditorClient;
let first = "";
let second = "";
beforeAll(async () => {
  service = await startTestService({ clock });
  store = await auditorAs(service, "config-store");
  const put = (writeId: string, paramName: string, newValueJson: string) =>
    recordedWrite(store, { ...write(paramName, { botSlug, newValueJson }), writeId });
  first = (await put("1", "max_position_pusd", "5000")).decisionId;
  clock.set("2026-05-10T10:00:00Z");
  second = (await put("2", "max_position_pusd", "7500.000000000000000001")).decisionId;
  await put("3", "venues", '["polymarket"]');
  await store.confirmWrite({ decisionId: second, outcome: WriteOutcome.APPLIED });
  await store.recordUngatedWrite({
    ...{ botSlug, paramName: "cooldown_s", newValueJson: "30", editorId: "alice@polytraders", writeId: "4" },
    ...{ changedAt: { seconds: 1n, nanos: 0 }, cause: "UNAVAILABLE" },
  });
});
afterAll(() => service[Symbol.asyncDispose]());

const governance = (...args: string[]): Promise<CliRun> => runCli(args, { env: envOf(service) });

/** The cells of a printed table, without its titles. */
const cells = (run: CliRun) =>
  run.stdout
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ {2,}/));

test("config as-of shows what is in force now, to the digit, and what nobody confirmed", async () => {
  const run = await governance("config", "as-of", botSlug);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const accepted = "2026-05-10T10:00:00.000Z";
  expect(cells(run)).toEqual([
    ["cooldown_s", "30", accepted, "yes", expect.stringMatching(/^\w{26}$/)],
    ["max_position_pusd", "7500.000000000000000001", accepted, "yes", second],
    ["venues", '["polymarket"]', accepted, "no", expect.stringMatching(/^\w{26}$/)],
  ]);
});

test("config as-of shows what was in force at a time, and by the time that callers claim", async () => {
  const before = await governance("config", "as-of", botSlug, "--time", "2026-05-10", "--json");
  expect(JSON.parse(before.stdout)).toMatchObject({
    values: [{ param_name: "max_position_pusd", value_json: "5000", decision_id: first, unconfirmed: true }],
  });
  const claimed = await governance("config", "as-of", botSlug, "--time", "2026-05-09", "--basis", "changed");
  expect(cells(claimed).map(([param, value]) => [param, value])).toEqual([["cooldown_s", "30"]]);
});

test("config as-of of a bot without values says so", async () => {
  expect(await governance("config", "as-of", "nobody")).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "governance: no parameter had a value\n",
  });
});

test("list shows the changes that nobody confirmed, and those made without a verdict", async () => {
  const listed = async (flag: string) => {
    const run = await governance("list", "--changes", flag, "--json");
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    return run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).write_id);
  };
  expect(await listed("--unconfirmed")).toEqual(["3", "1"]);
  expect(await listed("--ungated")).toEqual(["4"]);
});

test.each(["--unconfirmed", "--ungated"])("%s without --changes is refused", async (flag) => {
  expect(await governance("list", flag)).toMatchObject({
    exitCode: 2,
    stderr: `governance: ${flag} is a filter of parameter changes: add --changes\n`,
  });
});
