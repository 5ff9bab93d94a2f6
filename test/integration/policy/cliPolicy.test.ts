import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditorAs } from "../../support/callers.ts";
import { type CliRun, envOf, runCli } from "../../support/cli.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { exampleTiers, type WriteInit, write } from "../auditor/writes.ts";
import { auditor, change, configAs } from "../botConfig/config.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService({ config: `${exampleTiers}stopping: [risk.killswitch.*=true]\n` });
  const configStore = await auditorAs(service, "config-store");
  const cap = (more: Partial<WriteInit>) =>
    write("max_position_pusd", { botSlug: "risk.liquidityguard", ...more });
  const armed = (newValueJson: string) => write("armed", { botSlug: "risk.killswitch", newValueJson });
  for (const one of [
    cap({ newValueJson: "1" }),
    cap({ newValueJson: "2", editorId: "bob@polytraders" }),
    cap({ newValueJson: "3" }),
    cap({ newValueJson: "4", ticketRef: "PTRD-1" }),
    armed("true"),
    armed("false"),
    write("edge", { newValueJson: "0.5" }),
    write("edge", { newValueJson: "9007199254740993" }),
  ]) {
    await configStore.checkWrite(one);
  }
  await configStore.recordUngatedWrite({
    ...write("edge"),
    writeId: "u1",
    changedAt: { seconds: 1_778_320_800n, nanos: 0 },
    cause: "UNAVAILABLE",
  });
});
afterAll(() => service[Symbol.asyncDispose]());

let files = 0;
async function policy(
  verb: "check" | "replay",
  text: string,
  ...more: string[]
): Promise<CliRun & { path: string }> {
  const path = join(service.dataDir, `policy-${++files}.yaml`);
  await writeFile(path, text);
  return { ...(await runCli(["policy", verb, path, ...more], { env: envOf(service) })), path };
}

/** The lines of an output, blanks between columns made one. */
function linesOf({ stdout }: CliRun): string[] {
  return stdout.split("\n").map((line) => line.trim().replaceAll(/ +/g, " "));
}

const jsonLines = ({ stdout }: CliRun) =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));

test("check prints the policy and what is worth knowing of it, and names the version that verdicts name", async () => {
  const text = `${exampleTiers}  risk.kill_switch.*: P2\n  "*": P3
stopping: [risk.killswitch.*=true, risk.halt.*, risk.mode=off]
automation: [{ subject: ttl-refresher, pattern: strategy.*.ttl }]
tickets: { system: jira, url: https://jira.example, on_ticket_system_down: { P0: reject } }
gov.parameterchangeauditor: { mode: enforce }
`;
  const run = await policy("check", text);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const lines = linesOf(run);
  const [, version = ""] = /^policy version ([0-9a-f]{16})$/.exec(lines[0] ?? "") ?? [];
  expect(lines.slice(1, 4)).toEqual([
    "mode enforce",
    "tickets for P0, P1",
    "ticket system jira at https://jira.example; while it is down P0 is rejected",
  ]);
  expect(lines.slice(6, 11)).toEqual([
    "TIER LITERALS PATTERN",
    "P1 21 risk.*.max_position_pusd",
    "P0 16 risk.killswitch.*",
    "P2 16 risk.kill_switch.*",
    "P3 0 *",
  ]);
  expect(lines).toEqual(
    expect.arrayContaining([
      "risk.killswitch.* needs no ticket when it becomes true",
      "risk.halt.* needs no ticket for any value",
      "ttl-refresher may write strategy.*.ttl without a page",
      "tiers: risk.kill_switch.* can never decide: risk.killswitch.* matches all that it matches, and wins or says the same",
      "tiers: * matches gov.* too, the service's own parameters, which are P0 without a pattern",
      expect.stringMatching(/^stopping: risk\.mode=off: .* is not JSON/),
    ]),
  );
  await using other = await startTestService({ config: text });
  const verdict = await (await auditorAs(other, "config-store")).checkWrite(write("edge", { dryRun: true }));
  expect(verdict.policyVersion).toBe(version);
});

test("check tells every mistake, with its key and what would be right, and ends with exit code 1", async () => {
  const run = await policy(
    "check",
    "tiers: { risk.a: P9 }\nteirs: {}\nautomation: [{ editor_id: x, pattern: a.b }]\n",
  );
  expect(run).toMatchObject({ exitCode: 1, stdout: "" });
  expect(run.stderr.trimEnd().split("\n")).toEqual([
    expect.stringMatching(`governance: ${run.path}: tiers.risk.a: .*"P0"\\|"P1"\\|"P2"\\|"P3"`),
    expect.stringMatching("automation.0.subject: .*string"),
    expect.stringMatching('automation.0: Unrecognized key: "editor_id"'),
    expect.stringMatching('Unrecognized key: "teirs"'),
  ]);
  const missing = await runCli(["policy", "check", "/nonexistent.yaml"]);
  expect(missing).toMatchObject({
    exitCode: 1,
    stderr: "governance: /nonexistent.yaml cannot be read (ENOENT)\n",
  });
});

test("replay of the policy in force changes nothing", async () => {
  const run = await policy(
    "replay",
    `${exampleTiers}stopping: [risk.killswitch.*=true]\n`,
    "--fail-on-change",
  );
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  expect(linesOf(run)).toEqual([
    "ALLOW → ALLOW 4",
    "REJECT → REJECT 4",
    expect.stringMatching(
      /^0 of 8 verdicts would change under policy [0-9a-f]{16} \(shadow_only\); 0 writes .* stopped$/,
    ),
    "writes without a verdict, left out: 1",
    "writes with a ticket that nobody checked, which counts as good: 1",
    "",
  ]);
});

test("replay shows each verdict that would change, by parameter and in all, with an exit code on request", async () => {
  const text = `gov.parameterchangeauditor: { mode: enforce }
tiers: { risk.killswitch.*: P0, strategy.sports.edge: P1 }
stopping: [risk.killswitch.*=true, strategy.sports.edge=9007199254740993]
`;
  const run = await policy("replay", text, "--fail-on-change", "--json");
  expect(run).toMatchObject({ exitCode: 7, stderr: "" });
  const lines = jsonLines(run);
  const lower = {
    audited_bot: "risk.liquidityguard",
    old_verdict: "REJECT",
    new_verdict: "ALLOW",
    new_param_tier: "P2",
  };
  expect(lines).toMatchObject([
    lower,
    lower,
    lower,
    {
      param_name: "edge",
      ticket_status: "NOT_REQUIRED",
      old_verdict: "ALLOW",
      new_verdict: "REJECT",
      new_reason_code: "AUDIT_TICKET_REQUIRED",
    },
    {
      summary: {
        mode: "ENFORCE",
        judged: 8,
        changed: 4,
        ungated: 1,
        stopped: 2,
        verdicts: { REJECT_TO_ALLOW: 3, ALLOW_TO_ALLOW: 3, REJECT_TO_REJECT: 1, ALLOW_TO_REJECT: 1 },
        by_parameter: [
          {
            audited_bot: "risk.liquidityguard",
            param_name: "max_position_pusd",
            new_verdict: "ALLOW",
            count: 3,
          },
          { audited_bot: "strategy.sports", param_name: "edge", new_verdict: "REJECT", count: 1 },
        ],
      },
    },
  ]);

  const table = await policy("replay", text, "--bot", "strategy.sports");
  expect(table.exitCode).toBe(0);
  expect(linesOf(table)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(
        /^\S+Z strategy\.sports edge alice@polytraders P1 NOT_REQUIRED ALLOW → REJECT \w{26}$/,
      ),
      "strategy.sports edge ALLOW → REJECT 1",
      expect.stringMatching(/^1 of 2 verdicts would change/),
    ]),
  );
});

test("replay lays what is stored over the file, as the service does", async () => {
  await using other = await startTestService({});
  await (await configAs(other, "operator")).updateBotConfig(change(auditor, "require_ticket_for", ["P2"]));
  await (await auditorAs(other, "config-store")).checkWrite(write("edge"));
  const path = join(other.dataDir, "policy.yaml");
  await writeFile(path, "tiers: { strategy.*: P3 }\n");
  const run = await runCli(["policy", "replay", path, "--json"], { env: envOf(other) });
  expect(jsonLines(run).at(-1)).toMatchObject({
    summary: { verdicts: { ALLOW_TO_ALLOW: 1, REJECT_TO_ALLOW: 1 } },
  });
});

test("a write of break-glass stays allowed under any policy", async () => {
  await using other = await startTestService({});
  const oncall = await auditorAs(other, "break-glass");
  await oncall.checkWrite(write("edge", { breakGlassReason: "the venue is down" }));
  const path = join(other.dataDir, "policy.yaml");
  await writeFile(path, "tiers: { strategy.*: P0 }\n");
  const run = await runCli(["policy", "replay", path, "--json"], { env: envOf(other) });
  expect(jsonLines(run)).toMatchObject([{ summary: { verdicts: { ALLOW_TO_ALLOW: 1 } } }]);
});

test("replay refuses a file with a mistake, and needs the role compliance", async () => {
  expect(await policy("replay", "teirs: {}")).toMatchObject({ exitCode: 1, stdout: "" });
  const token = await service.token({ roles: ["operator"] });
  expect(await policy("replay", "{}", "--token", token)).toMatchObject({ exitCode: 5, stdout: "" });
});

test("shadow shows what enforce would have rejected, by bot, parameter and editor, and of how many", async () => {
  const run = await runCli(["policy", "shadow"], { env: envOf(service) });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const at = /\S+Z/.source;
  const lines = linesOf(run);
  expect(lines).toEqual([
    "BOT PARAMETER EDITOR REJECTED SHARE FIRST LAST REASON",
    expect.stringMatching(
      `^risk.liquidityguard max_position_pusd alice@polytraders 2 66.7 % ${at} ${at} AUDIT_TICKET_REQUIRED$`,
    ),
    expect.stringMatching(
      `^risk.liquidityguard max_position_pusd bob@polytraders 1 100.0 % ${at} ${at} AUDIT_TICKET_REQUIRED$`,
    ),
    expect.stringMatching(
      `^risk.killswitch armed alice@polytraders 1 50.0 % ${at} ${at} AUDIT_TICKET_REQUIRED$`,
    ),
    "",
    "enforce would have rejected 4 of 8 writes in shadow_only (50.0 %); 9 writes in all, 1 of them without a verdict",
    "",
  ]);
});

test("shadow since a time after all writes finds none; what was decided in enforce is no shadow", async () => {
  const later = await runCli(["policy", "shadow", "--since", "2100-01-01", "--json"], {
    env: envOf(service),
  });
  expect(jsonLines(later)).toEqual([
    { summary: { writes: 0, in_shadow_only: 0, rejected: 0, ungated: 0, omitted: 0 } },
  ]);
  await using enforcing = await startTestService({
    config: "gov.parameterchangeauditor: { mode: enforce }\ntiers: { s*: P0 }",
  });
  await (await auditorAs(enforcing, "config-store")).checkWrite(write("edge"));
  const run = await runCli(["policy", "shadow", "--json"], { env: envOf(enforcing) });
  expect(jsonLines(run)).toMatchObject([{ summary: { writes: 1, in_shadow_only: 0, rejected: 0 } }]);
});
