import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { eventTypesOf, readReports, reportsAs } from "../reports/reading.ts";
import {
  auditor,
  type ConfigClient,
  change,
  configAs,
  decisionRows,
  ledger,
  parameterOf,
  storedRows,
} from "./config.ts";

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

const refusals =
  'polytraders_gov_parameterchangeauditor_rejections_total{reason="RETENTION_BELOW_REGULATORY_MINIMUM"}';

describe.each(["shadow_only", "enforce"])("in %s", (mode) => {
  const records = logRecords();
  let service: TestService;
  let operator: ConfigClient;
  beforeAll(async () => {
    const config = `gov.useractivityledger: { mode: ${mode} }\ngov.parameterchangeauditor: { mode: ${mode} }`;
    service = running.use(await startTestService({ config, log: records.log }));
    operator = await configAs(service, "operator", "operator-7");
  });

  test.each<[string, string, number, string[]]>([
    [ledger, "retain_days", 2554, ["RETENTION_BELOW_REGULATORY_MINIMUM"]],
    [ledger, "retain_days", 30, ["RETENTION_BELOW_REGULATORY_MINIMUM"]],
    [ledger, "retain_days", 0, ["RETENTION_BELOW_REGULATORY_MINIMUM"]],
    [ledger, "retain_days", -1, ["RETENTION_BELOW_REGULATORY_MINIMUM"]],
    [auditor, "retain_history_days", 364, []],
    [auditor, "retain_history_days", 90, []],
    [auditor, "retain_history_days", 89, ["AUDIT_RETENTION_WARN"]],
    [auditor, "retain_history_days", 0, ["AUDIT_RETENTION_WARN"]],
  ])(
    "%s %s of %i is refused: nothing is decided or stored, and the log says so (R2, R3)",
    async (botId, paramName, days, codes) => {
      const inForce = await parameterOf(operator, botId, paramName);
      const logged = records.withReason().length;
      const counted = (await metricValue(service, refusals)) ?? 0;
      const refusal = await refusalOf(operator.updateBotConfig(change(botId, paramName, days)));
      expect(refusal).toMatchObject({
        code: "InvalidArgument",
        reason: "RETENTION_BELOW_REGULATORY_MINIMUM",
        field: "value",
      });
      expect(records.withReason().slice(logged)).toEqual(
        codes.map((reasonCode) => ({
          level: "warn",
          reasonCode,
          botId,
          paramName,
          subject: "operator-7",
          requestId: expect.any(String),
        })),
      );
      expect(await metricValue(service, refusals)).toBe(counted + 1);
      expect([await decisionRows(service), await storedRows(service)]).toEqual([[], []]);
      expect(await parameterOf(operator, botId, paramName)).toEqual(inForce);
    },
  );

  test("each refusal is on record, and told at its place with what it emits", async () => {
    await using reader = readReports(await reportsAs(service, "compliance"), {});
    const told = await reader.until((messages) => messages.length >= 13);
    const refused = "BOT_CONFIG_REFUSED";
    const tooShort = "RETENTION_BELOW_REGULATORY_MINIMUM";
    expect(eventTypesOf(told)).toEqual([
      ...Array.from({ length: 4 }, () => [refused, tooShort]).flat(),
      ...[refused, refused, refused, "AUDIT_RETENTION_WARN", refused, "AUDIT_RETENTION_WARN"],
    ]);
    const report = told[0]?.report;
    if (report?.case !== "operations") throw new Error("a refusal is an operations report");
    const { auditedBot, paramName, recordedBy, detailsJson } = report.value;
    expect([auditedBot, paramName, recordedBy]).toEqual([ledger, "retain_days", "operator-7"]);
    expect(JSON.parse(detailsJson ?? "")).toEqual({
      occasion: "UPDATE",
      bot_id: ledger,
      param_name: "retain_days",
      value: 2554,
    });
  });
});

test("the floor itself is taken, and so is a lower value than the one in force above it", async () => {
  await using service = await startTestService();
  const operator = await configAs(service, "operator");
  for (const [botId, paramName, days] of [
    [ledger, "retain_days", 4000],
    [ledger, "retain_days", 2555],
    [auditor, "retain_history_days", 4000],
    [auditor, "retain_history_days", 365],
  ] as const) {
    const { verdict } = await operator.updateBotConfig(change(botId, paramName, days));
    expect(verdict?.allowed).toBe(true);
    expect(await parameterOf(operator, botId, paramName)).toEqual([days, "STORED"]);
  }
});

test("a file's value below its floor starts, is warned of, and a stored one above it takes its place (R2)", async () => {
  const config = `gov.useractivityledger: { retain_days: 30 }\ngov.parameterchangeauditor: { retain_history_days: 80 }`;
  await using service = await startTestService({ config });
  const operator = await configAs(service, "operator");
  const warnings = async () => {
    const found = [ledger, auditor].map((botId) => operator.getBotConfig({ botId }));
    return (await Promise.all(found)).flatMap(({ parameters }) =>
      parameters.map(({ warning }) => warning).filter((warning) => warning !== ""),
    );
  };
  const codes = ["RETENTION_BELOW_REGULATORY_MINIMUM", "AUDIT_RETENTION_WARN"];
  expect(await warnings()).toEqual(codes);
  await using reader = readReports(await reportsAs(service, "compliance"), {});
  const told = eventTypesOf(await reader.until((messages) => messages.length >= 2));
  expect(told.toSorted()).toEqual(codes.toSorted());
  await operator.updateBotConfig(change(ledger, "retain_days", 2555));
  await operator.updateBotConfig(change(auditor, "retain_history_days", 365));
  expect(await warnings()).toEqual([]);
});

test("how long records are kept is noted at the start and with each change, and nothing else is", async () => {
  await using service = await startTestService({ config: "gov.useractivityledger: { retain_days: 3000 }" });
  const operator = await configAs(service, "operator");
  await operator.updateBotConfig(change(ledger, "retain_days", 2600));
  await operator.updateBotConfig(change(ledger, "publish_to_user", false));
  await operator.updateBotConfig(change(auditor, "retain_history_days", 400));
  const noted = await service.database.query<{ bot: string; days: number }>(
    "superuser",
    "select bot, days from maintenance.retain_days order by seq",
  );
  expect(noted).toEqual([
    { bot: ledger, days: 3000 },
    { bot: auditor, days: 365 },
    { bot: ledger, days: 2600 },
    { bot: auditor, days: 400 },
  ]);
});
