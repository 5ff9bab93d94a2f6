import { rename, unlink, utimes, writeFile } from "node:fs/promises";
import { afterAll, beforeEach, expect, test } from "vitest";
import { auditorAs } from "../../support/callers.ts";
import { type LogRecords, logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { startTicketServer } from "../../support/ticketServer.ts";
import { write } from "../auditor/writes.ts";
import { change, configAs, ledger, parameterOf } from "../botConfig/config.ts";
import { eventually, limits } from "./reloading.ts";

const enforce = "gov.parameterchangeauditor: { mode: enforce }\n";
const lax = `${enforce}tiers: { risk.*: P2 }\n`;
const strict = `${enforce}tiers: { risk.*: P0 }\n`;

let running = new AsyncDisposableStack();
let service: TestService;
let log: LogRecords;
beforeEach(async () => {
  await running.disposeAsync();
  running = new AsyncDisposableStack();
  log = logRecords();
  service = running.use(await startTestService({ config: lax, limits, log: log.log }));
});
afterAll(() => running.disposeAsync());

async function answer(name = "risk.a") {
  return (await auditorAs(service, "config-store")).checkWrite(write("cap", { botSlug: name, dryRun: true }));
}

async function allowed(): Promise<boolean> {
  return (await answer()).allowed;
}

function said(msg: string): Record<string, unknown>[] {
  return log.records().filter((record) => String(record.msg).startsWith(`the config file ${msg}`));
}

function isOk(): Promise<number | undefined> {
  return metricValue(service, "polytraders_gov_config_file_ok");
}

test("a changed file is in force without a restart, and verdicts name the policy they were given under", async () => {
  const before = await answer();
  expect(before).toMatchObject({ allowed: true, paramTier: "P2" });
  await writeFile(service.configFile, strict);
  await eventually(allowed, false);
  const after = await answer();
  expect(after).toMatchObject({ paramTier: "P0", reasonCode: "AUDIT_TICKET_REQUIRED" });
  expect(after.policyVersion).not.toBe(before.policyVersion);
  expect(said("is in force")).toMatchObject([
    {
      level: 30,
      path: service.configFile,
      changed: true,
      policyVersion: after.policyVersion,
      mode: "enforce",
    },
  ]);
  await writeFile(service.configFile, lax);
  await eventually(allowed, true);
  expect((await answer()).policyVersion).toBe(before.policyVersion);
});

test("a file that an editor puts in the old one's place counts too, even with its size and time", async () => {
  const atSeconds = 1_750_000_000;
  await utimes(service.configFile, atSeconds, atSeconds);
  const other = `${service.configFile}.new`;
  await writeFile(other, strict);
  expect(strict).toHaveLength(lax.length);
  await utimes(other, atSeconds, atSeconds);
  await rename(other, service.configFile);
  await eventually(allowed, false);
});

test.each([
  ["a mistake", `${strict}teirs: {}\n`, 'Unrecognized key: "teirs"'],
  ["a value that is not allowed", strict.replace("P0", "P9"), /^tiers\.risk\.\*: .*"P0"\|"P1"/],
  ["half a line", strict.slice(0, -4), / at line 2/],
  ["nothing in it", "", "is empty; write {} for the defaults"],
])("a file with %s is refused whole and said once; the old one stays in force", async (_, text, problem) => {
  const before = await answer();
  await writeFile(service.configFile, text);
  await eventually(isOk, 0);
  expect(await answer()).toMatchObject({ allowed: true, policyVersion: before.policyVersion });
  await writeFile(service.configFile, strict);
  await eventually(isOk, 1);
  expect(said("is refused")).toMatchObject([
    {
      level: 50,
      path: service.configFile,
      problem: typeof problem === "string" ? problem : expect.stringMatching(problem),
    },
  ]);
  expect(await allowed()).toBe(false);
});

test("a deleted file is refused likewise, and followed when it is back", async () => {
  await unlink(service.configFile);
  await eventually(isOk, 0);
  expect(await allowed()).toBe(true);
  expect(said("is refused")).toMatchObject([{ level: 50, problem: "cannot be read (ENOENT)" }]);
  await writeFile(service.configFile, strict);
  await eventually(allowed, false);
  expect(await isOk()).toBe(1);
});

test("the bots' parameters follow the file, and what is stored beats it still", async () => {
  const operator = await configAs(service, "operator");
  await operator.updateBotConfig(change(ledger, "retain_days", 4000));
  await writeFile(service.configFile, `${lax}${ledger}: { retain_days: 3000, publish_to_user: false }\n`);
  await eventually(() => parameterOf(operator, ledger, "publish_to_user"), [false, "FILE"]);
  expect(await parameterOf(operator, ledger, "retain_days")).toEqual([4000, "STORED"]);
});

test("a longer retention from the file is noted for the records that are there already", async () => {
  await writeFile(service.configFile, `${lax}${ledger}: { retain_days: 3000 }\n`);
  const noted = () =>
    service.database.query(
      "superuser",
      `select days from maintenance.retain_days where bot = '${ledger}' order by seq desc limit 1`,
    );
  await eventually(noted, [{ days: 3000 }]);
});

test("a value that goes below a floor is refused with its code, and nothing else of the file counts", async () => {
  await writeFile(service.configFile, `${strict}${ledger}: { retain_days: 30 }\n`);
  await eventually(isOk, 0);
  expect(await allowed()).toBe(true);
  const code = "RETENTION_BELOW_REGULATORY_MINIMUM";
  expect(log.records().filter(({ reasonCode }) => reasonCode === code)).toMatchObject([
    { paramName: "retain_days" },
  ]);
  const refusals = `polytraders_gov_parameterchangeauditor_rejections_total{reason="${code}"}`;
  expect(await metricValue(service, refusals)).toBe(1);
  const noted = () =>
    service.database.query(
      "superuser",
      "select occasion, param_name, value_json, reason_codes, asked_by from maintenance.floor_notice",
    );
  await eventually(noted, [
    { occasion: "FILE", param_name: "retain_days", value_json: "30", reason_codes: [code], asked_by: null },
  ]);
});

test("another ticket system is asked from then on, and none when there is none any more", async () => {
  await using tickets = await startTicketServer();
  tickets.answer(404, { errorMessages: ["Issue does not exist"], errors: {} });
  const status = async () => {
    const request = write("cap", { botSlug: "risk.a", dryRun: true, ticketRef: "PTRD-404" });
    return (await (await auditorAs(service, "config-store")).checkWrite(request)).reasonCode;
  };
  await writeFile(service.configFile, `${strict}tickets: { system: jira, url: "${tickets.url}" }\n`);
  await eventually(status, "AUDIT_TICKET_INVALID");
  await writeFile(service.configFile, strict);
  await eventually(status, "PARAM_CHANGED");
});

test("a token file that cannot be read refuses the file", async () => {
  const tickets = "tickets: { system: jira, url: https://x, token_file: /nonexistent/token }\n";
  await writeFile(service.configFile, `${strict}${tickets}`);
  await eventually(isOk, 0);
  expect(said("is refused")).toMatchObject([
    { problem: "tickets.token_file: /nonexistent/token cannot be read (ENOENT)" },
  ]);
  expect(await allowed()).toBe(true);
});

test("a bot that the new file names has its own label in the metrics", async () => {
  const configStore = await auditorAs(service, "config-store");
  await writeFile(service.configFile, `${enforce}tiers: { strategy.new.*: P3 }\n`);
  await eventually(async () => (await answer("strategy.new")).paramTier, "P3");
  await configStore.checkWrite(write("edge", { botSlug: "strategy.new" }));
  const sample =
    'polytraders_gov_parameterchangeauditor_changes_total{bot_slug="strategy.new",param_tier="P3"}';
  expect(await metricValue(service, sample)).toBe(1);
});
