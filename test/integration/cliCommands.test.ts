import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliRun, envOf, runCli, startCli } from "../support/cli.ts";
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
const write = [
  "check-write",
  "--bot",
  "risk.liquidityguard",
  "--param",
  "max_position_pusd",
  "--editor",
  "alice",
];

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

test.concurrent("a list pages through all records, and tells when its limit left some out", async () => {
  const session = "sess_pages";
  const bot = service.client(
    (await import("../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts"))
      .UserActivityLedgerService,
    await service.token({ roles: ["bot"] }),
  );
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

test.concurrent.each([
  ["an unknown option", ["list", "--tokn", "x"], "unknown option '--tokn' (Did you mean --token?)"],
  ["an unknown command", ["lst"], "unknown command 'lst' (Did you mean list?)"],
  [
    "a required option left out",
    ["check-write", "--bot", "x"],
    "required option '--param <name>' not specified",
  ],
  ["a value that is not JSON", [...write, "--new", "hello"], "It is not JSON. Text needs its quotes"],
  ["a time that is none", ["list", "--from", "yesterday"], "It is not a time"],
  ["an address that is none", ["list", "--address", "localhost"], "It is not host:port"],
  ["--resume without a file", ["export", "--resume"], "--resume needs --output"],
  ["a kind of file that is none", ["replay", "--as", "fills", "x"], "Allowed choices are user-actions"],
])("%s is bad usage: one line and exit code 2", async (_what, args, message) => {
  const run = await governance(args);
  expect(run).toMatchObject({ exitCode: 2, stdout: "" });
  expect(run.stderr).toMatch(/^governance: [^\n]*\n$/);
  expect(run.stderr).toContain(message);
});

test.concurrent("a token without the role is refused with exit code 5", async () => {
  const run = await governance(["export"], {
    env: { GOVERNANCE_TOKEN: await service.token({ roles: ["bot"] }) },
  });
  expect(run).toMatchObject({ exitCode: 5, stdout: "" });
  expect(run.stderr).toMatch(/^governance: ROLE_NOT_ALLOWED: .*\n$/);
});

test.concurrent("without a token and a development key nothing is sent, and the message says what to give", async () => {
  const empty = join(service.dataDir, "elsewhere");
  const run = await governance(["list"], { env: { GOVERNANCE_DATA_DIR: empty } });
  expect(run).toMatchObject({ exitCode: 1, stdout: "" });
  expect(run.stderr).toMatch(
    /^governance: no token: give --token or GOVERNANCE_TOKEN with the role compliance .*\n$/,
  );
  await expect(rm(empty, { recursive: true })).rejects.toThrow("ENOENT"); // Asking made no folder either.
});

test.concurrent("a development key of another service is told apart from a bad token", async () => {
  const other = join(service.dataDir, "other");
  expect(
    (await governance(["token", "--role", "bot"], { env: { GOVERNANCE_DATA_DIR: other } })).exitCode,
  ).toBe(0);
  const run = await governance(["list"], { env: { GOVERNANCE_DATA_DIR: other } });
  expect(run.exitCode).toBe(5);
  expect(run.stderr).toMatch(
    /^governance: TOKEN_INVALID: .*development key of the data folder is not the service's.*\n$/,
  );
});

test.concurrent.each([
  ["nothing listens", () => 1, [], "nothing listens there"],
  ["something else than gRPC listens", () => service.httpPort, [], "it does not speak gRPC"],
  ["the service does not speak TLS", () => service.grpcPort, ["--tls"], "it does not speak TLS"],
])("where %s the service is unreachable: exit code 6", async (_what, port, more, message) => {
  const run = await governance(["list", "--address", `127.0.0.1:${port()}`, ...more]);
  expect(run).toMatchObject({ exitCode: 6, stdout: "" });
  expect(run.stderr).toMatch(/^governance: 127\.0\.0\.1:\d+ cannot be reached: [^\n]*\n$/);
  expect(run.stderr).toContain(message);
});

test.concurrent("a reader that goes away ends the command quietly", async () => {
  const { child, done } = startCli(["list", "--limit", "all", "--json"], { env: envOf(service) });
  child.stdout?.once("data", () => child.stdout?.destroy());
  expect(await done).toMatchObject({ exitCode: 0, stderr: "" });
});

test.concurrent("the help tells all exit codes, and each command shows an example and its defaults", async () => {
  const help = await runCli(["--help"]);
  expect(help.exitCode).toBe(0);
  for (const code of [0, 1, 2, 3, 4, 5, 6])
    expect(help.stdout).toMatch(new RegExp(`^ {2}${code} {2}\\w`, "m"));
  for (const name of ["record", "check-write", "list", "export", "replay"]) {
    expect(help.stdout).toContain(`\n  ${name} `);
    const one = await runCli([name, "--help"]);
    expect(one).toMatchObject({ exitCode: 0, stderr: "" });
    expect(one.stdout).toMatch(/Examples?:\n {2}governance/);
    expect(one.stdout.replace(/\s+/g, " ")).toContain(
      '(default: "127.0.0.1:50051", env: GOVERNANCE_GRPC_ADDR)',
    );
  }
  const none = await runCli([]);
  expect(none).toMatchObject({ exitCode: 2, stdout: "" });
});

test.concurrent("the version names implementation, specification and schema of both bots", async () => {
  const text = await runCli(["version"]);
  expect(text.stdout).toContain("gov.useractivityledger      spec 2.0.0, implementation 0.1.0, schema 2");
  const json = JSON.parse((await runCli(["version", "--json"])).stdout);
  expect(json.implementation).toBe("0.1.0");
  const facts = { spec: "2.0.0", implementation: "0.1.0", schema: 2, released: null };
  expect(json.bots).toMatchObject([
    { bot_id: "gov.useractivityledger", planned_release: "Q4-2026", ...facts },
    { bot_id: "gov.parameterchangeauditor", planned_release: "Q3-2026", ...facts },
  ]);
  expect(json.polymarket).toMatchObject({
    clob_version: "v2",
    collateral_asset: "pUSD",
    settlement_contract: "CTFExchangeV2",
  });
});
