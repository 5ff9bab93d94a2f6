import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliRun, envOf, runCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";

const wallet = "0xdeadbeef00000000000000000000000000000001";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({
    config: `
gov.parameterchangeauditor: { mode: enforce }
tiers: { risk.*.max_position_pusd: P1 }
`,
  });
});
afterAll(() => service[Symbol.asyncDispose]());

function governance(
  args: readonly string[],
  options: { stdin?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CliRun> {
  const { env, ...rest } = options;
  return runCli(args, { env: { ...envOf(service), ...env }, ...rest });
}

const action = ["--wallet", wallet, "--session-id", "sess_1", "--action-type", "STRATEGY_START"];
const parameter = ["--bot", "risk.liquidityguard", "--param", "max_position_pusd"];
const write = ["check-write", ...parameter, "--editor", "alice"];

test.concurrent("an action recorded from options keeps every digit of its parameters", async () => {
  const params = '{"size":12345678901234567890.10,"none":null}';
  const run = await governance(["record", "--event-id", "cli_1", ...action, "--params", params, "--json"]);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const answer = JSON.parse(run.stdout);
  expect(answer.outcome).toBe("RECORD_OUTCOME_RECORDED");
  expect(answer.report).toMatchObject({
    event_id: "cli_1",
    action_params_json: params,
    session_id: "sess_1",
  });
});

test.concurrent("an action from a file is recorded as it stands there, its numbers digit for digit", async () => {
  const file = join(service.dataDir, "action.json");
  const params = '{ "big": 9007199254740993, "small": 1e-30, "zero": -0 }';
  const time = "2026-05-09T10:00:00.123456789Z";
  await writeFile(
    file,
    `{"event_id":"cli_2","wallet":"${wallet}","session_id":"s","action_type":"HALT","params":${params},"occurred_at":"${time}"}`,
  );
  const run = await governance(["record", "--json", file]);
  expect(run.exitCode).toBe(0);
  const { report } = JSON.parse(run.stdout);
  expect(report.action_params_json).toBe('{"big":9007199254740993,"small":1e-30,"zero":-0}');
  expect(report.occurred_at).toBe(time);
});

test.concurrent("an action from stdin that was recorded before is a duplicate, and one with other content is refused", async () => {
  const text = (reason: string) =>
    `{"event_id":"cli_3","wallet":"${wallet}","session_id":"s","action_type":"HALT","params":{"reason":"${reason}"}}`;
  const outcome = (run: CliRun) => JSON.parse(run.stdout).outcome;
  expect(outcome(await governance(["record", "--json", "-"], { stdin: text("a") }))).toBe(
    "RECORD_OUTCOME_RECORDED",
  );
  expect(outcome(await governance(["record", "--json", "-"], { stdin: text("a") }))).toBe(
    "RECORD_OUTCOME_DUPLICATE",
  );
  const other = await governance(["record", "--json", "-"], { stdin: text("b") });
  expect(other).toMatchObject({ exitCode: 5, stdout: "" });
  expect(other.stderr).toMatch(/^governance: EVENT_ID_CONFLICT: .*\n$/);
});

test.concurrent.each([
  ["a misspelt key", '{"event_id":"x","walet":"0x"}', '"walet" is not one of'],
  ["half an object", '{"event_id":"x"', "is not a user action"],
  ["an array", "[]", "not an object"],
  ["a key that stands there twice", '{"event_id":"x","event_id":"y"}', "stands there twice"],
])("an action from stdin with %s is bad usage", async (_what, stdin, message) => {
  const run = await governance(["record", "--json", "-"], { stdin });
  expect(run).toMatchObject({ exitCode: 2, stdout: "" });
  expect(run.stderr).toContain(message);
  expect(run.stderr.trimEnd().split("\n")).toHaveLength(1);
});

test.concurrent("a write that may proceed ends with exit code 0, one that may not with 3", async () => {
  const allowed = await governance([...write, "--old", "5000", "--new", "7500", "--ticket", "PTRD-1042"]);
  expect(allowed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(allowed.stdout).toContain("ALLOWED  PARAM_CHANGED");
  expect(allowed.stdout).toContain("5000 → 7500");
  const refused = await governance([...write, "--old", "5000", "--new", "7500"]);
  expect(refused).toMatchObject({ exitCode: 3, stderr: "" });
  expect(refused.stdout).toContain("NOT ALLOWED  AUDIT_TICKET_REQUIRED");
});

test.concurrent("the answer to a write says in JSON that it is not allowed, instead of leaving it out", async () => {
  const run = await governance([...write, "--new", "7500", "--json", "--environment", "production"]);
  expect(run.exitCode).toBe(3);
  const answer = JSON.parse(run.stdout);
  expect(answer).toMatchObject({
    allowed: false,
    verdict: "VERDICT_REJECT",
    mode: "MODE_ENFORCE",
    replayed: false,
  });
  expect(answer.report).toMatchObject({ environment: "production", new_value_json: "7500" });
  expect(answer.report).not.toHaveProperty("old_value_json");
});

test.concurrent("a write sent again with its write id gets the recorded answer, with other values it is refused", async () => {
  const sent = [...write, "--ticket", "PTRD-1", "--write-id", "w1", "--json", "--new"];
  const first = JSON.parse((await governance([...sent, "1.50"])).stdout);
  const again = JSON.parse((await governance([...sent, "1.50"])).stdout);
  expect(again).toMatchObject({ replayed: true, decision_id: first.decision_id });
  const other = await governance([...sent, "2"]);
  expect(other.exitCode).toBe(5);
  expect(other.stderr).toMatch(/^governance: WRITE_ID_CONFLICT: .*\n$/);
});

test.concurrent("a dry run decides and records nothing", async () => {
  const param = ["--bot", "risk.dry", "--param", "p", "--editor", "alice", "--new", "1"];
  const run = await governance(["check-write", ...param, "--dry-run", "--json"]);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(JSON.parse(run.stdout)).toMatchObject({ allowed: true, durability: "DURABILITY_NOT_RECORDED" });
  const list = await governance(["list", "--changes", "--bot", "risk.dry", "--json"]);
  expect(list.stdout).toBe("");
});
