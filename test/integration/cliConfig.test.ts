import { afterAll, beforeAll, expect, test } from "vitest";
import { type CliRun, envOf, runCli } from "../support/cli.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  const config = "gov.useractivityledger: { retain_days: 30 }\ngov.parameterchangeauditor: { mode: enforce }";
  service = await startTestService({ config });
});
afterAll(() => service[Symbol.asyncDispose]());

function governance(...args: string[]): Promise<CliRun> {
  return runCli(args, { env: envOf(service) });
}

/** The lines of a table, blanks between columns made one. */
function linesOf({ stdout }: CliRun): string[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replaceAll(/ +/g, " "));
}

const ledger = "gov.useractivityledger";

test("config get shows every parameter in force, where it comes from and what is wrong with it", async () => {
  const run = await governance("config", "get");
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const lines = linesOf(run);
  expect(lines[0]).toBe("BOT PARAMETER VALUE SOURCE DEFAULT WARNING");
  expect(lines).toContain(`${ledger} retain_days 30 file 2555 RETENTION_BELOW_REGULATORY_MINIMUM`);
  expect(lines).toContain(`gov.parameterchangeauditor require_ticket_for ["P0","P1"] default ["P0","P1"]`);
  expect(lines).toHaveLength(11);
  expect(linesOf(await governance("config", "get", ledger))).toHaveLength(6);
});

test("config set changes a parameter with a ticket; without one it ends with the exit code of a rejection", async () => {
  const without = await governance("config", "set", ledger, "mode", "enforce", "--editor", "alice");
  expect(without).toMatchObject({ exitCode: 3, stderr: "" });
  expect(without.stdout).toMatch(/^NOT ALLOWED {2}AUDIT_TICKET_REQUIRED: /);
  const ticket = ["--editor", "alice", "--ticket", "PTRD-1"];
  const changed = await governance("config", "set", ledger, "mode", "enforce", ...ticket);
  expect(changed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(changed.stdout).toMatch(/^ALLOWED {2}PARAM_CHANGED: (.|\n)*"shadow_only" → "enforce"/);
  const shown = await governance("config", "get", ledger, "--json");
  expect(JSON.parse(shown.stdout).parameters[0]).toMatchObject({
    param_name: "mode",
    value: "enforce",
    source: "CONFIG_SOURCE_STORED",
  });
});

test("config set of a value below a floor is refused in one line", async () => {
  const run = await governance("config", "set", ledger, "retain_days", "30", "--editor", "alice");
  expect(run).toMatchObject({ exitCode: 5, stdout: "" });
  expect(run.stderr).toBe(
    "governance: RETENTION_BELOW_REGULATORY_MINIMUM: value is below the least that retain_days may be: 2555 days\n",
  );
});

test.each([
  ["another bot", ["config", "get", "gov.other"]],
  ["no value", ["config", "set", ledger, "mode", "--editor", "alice"]],
  ["no editor", ["config", "set", ledger, "mode", "enforce"]],
  ["another verb", ["config", "unset", ledger, "mode"]],
])("%s is bad usage, said in one line", async (_, args) => {
  const run = await governance(...args);
  expect(run).toMatchObject({ exitCode: 2, stdout: "" });
  expect(run.stderr).toMatch(/^governance: .+\n$/);
});
