import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliRun, envOf, runCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

function governance(args: readonly string[], options: { env?: NodeJS.ProcessEnv } = {}): Promise<CliRun> {
  const { env, ...rest } = options;
  return runCli(args, { env: { ...envOf(service), ...env }, ...rest });
}

test.concurrent.each([
  ["an unknown option", ["list", "--tokn", "x"], "unknown option '--tokn' (Did you mean --token?)"],
  ["an unknown command", ["lst"], "unknown command 'lst' (Did you mean list?)"],
  [
    "a required option left out",
    ["check-write", "--bot", "x"],
    "required option '--param <name>' not specified",
  ],
  ["a value that is not JSON", ["check-write", "--new", "hello"], "It is not JSON. Text needs its quotes"],
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
