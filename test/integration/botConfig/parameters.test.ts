import type { JsonValue } from "@bufbuild/protobuf";
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigSource } from "../../../gen/ts/polytraders/governance/v1/bot_config_pb.ts";
import { Durability, Mode } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { createTestDatabase } from "../../support/database.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
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
let service: TestService;
let operator: ConfigClient;
beforeAll(async () => {
  service = running.use(await startTestService());
  operator = await configAs(service, "operator");
});
afterAll(() => running.disposeAsync());

/** Every parameter of both bots (spec 001 and 002 §8): its default, and another value that it may have. */
const parameters: readonly [botId: string, paramName: string, standard: JsonValue, other: JsonValue][] = [
  [ledger, "mode", "shadow_only", "enforce"],
  [ledger, "retain_days", 2555, 2556],
  [ledger, "export_format", "jsonl", "jsonl"],
  [ledger, "scrub_on_account_close", false, true],
  [ledger, "publish_to_user", true, false],
  [auditor, "mode", "shadow_only", "enforce"],
  [auditor, "retain_history_days", 365, 366],
  [auditor, "require_ticket_for", ["P0", "P1"], ["P0", "P1", "P2"]],
  [auditor, "publish_to_audit_log", true, false],
  [auditor, "alert_on_p0_change", true, false],
];

test.each(parameters)("%s %s is read and changed", async (botId, paramName, standard, other) => {
  expect(await parameterOf(operator, botId, paramName)).toEqual([standard, "DEFAULT"]);
  const { verdict, parameter } = await operator.updateBotConfig(change(botId, paramName, other));
  expect(verdict).toMatchObject({
    allowed: true,
    reasonCode: "PARAM_CHANGED",
    paramTier: "P0",
    durability: Durability.DURABLE,
    report: { auditedBot: botId, paramName, ticketRef: "PTRD-1042" },
  });
  expect(verdict?.report?.oldValueJson).toBe(JSON.stringify(standard));
  expect(verdict?.report?.newValueJson).toBe(JSON.stringify(other));
  expect(parameter).toMatchObject({
    paramName,
    value: fromJson(ValueSchema, other),
    source: ConfigSource.STORED,
    defaultValue: fromJson(ValueSchema, standard),
    warning: "",
  });
  expect(parameter?.userMessage).not.toBe("");
  expect(await parameterOf(operator, botId, paramName)).toEqual([other, "STORED"]);
});

test("these are all parameters that there are", async () => {
  const names: string[][] = [];
  for (const botId of [ledger, auditor]) {
    const { parameters: found } = await operator.getBotConfig({ botId });
    names.push(...found.map(({ paramName }) => [botId, paramName]));
  }
  expect(names).toEqual(parameters.map(([botId, paramName]) => [botId, paramName]));
});

describe("a value that the config file could not have is refused, and nothing is recorded:", () => {
  test.each<[string, string, JsonValue]>([
    [ledger, "mode", "off"],
    [ledger, "mode", true],
    [ledger, "retain_days", "2555"],
    [ledger, "retain_days", 2555.5],
    [ledger, "retain_days", 36_501],
    [ledger, "retain_days", null],
    [ledger, "export_format", "csv"],
    [ledger, "scrub_on_account_close", "yes"],
    [ledger, "publish_to_user", 1],
    [auditor, "retain_history_days", 365.25],
    [auditor, "require_ticket_for", "P0"],
    [auditor, "require_ticket_for", ["P0", "P4"]],
    [auditor, "alert_on_p0_change", {}],
  ])("%s %s %j", async (botId, paramName, value) => {
    const before = [await storedRows(service), await decisionRows(service)];
    expect(await refusalOf(operator.updateBotConfig(change(botId, paramName, value)))).toMatchObject({
      code: "InvalidArgument",
      reason: "INVALID_FIELD",
      field: "value",
    });
    expect([await storedRows(service), await decisionRows(service)]).toEqual(before);
  });
});

test("a parameter of the other bot is refused, with the names that there are", async () => {
  const refusal = await refusalOf(operator.updateBotConfig(change(ledger, "retain_history_days", 400)));
  expect(refusal).toMatchObject({ reason: "INVALID_FIELD", field: "param_name" });
  expect(refusal.message).toMatch(/must be one of mode, retain_days, .*publish_to_user$/);
});

test("stored beats the file, the file beats the default; a restart changes nothing of it", async () => {
  await using database = await createTestDatabase();
  const config = `gov.useractivityledger: { mode: enforce, retain_days: 3000 }`;
  const seen = async (client: ConfigClient) => [
    await parameterOf(client, ledger, "mode"),
    await parameterOf(client, ledger, "retain_days"),
    await parameterOf(client, ledger, "publish_to_user"),
  ];
  const keyFile = `${service.dataDir}/scrub.key`; // Every run of one database needs the same.
  const env = { GOVERNANCE_SCRUB_KEY_FILE: keyFile };
  {
    await using first = await startTestService({ database, config, env });
    const client = await configAs(first, "operator");
    expect(await seen(client)).toEqual([
      ["enforce", "FILE"],
      [3000, "FILE"],
      [true, "DEFAULT"],
    ]);
    await client.updateBotConfig(change(ledger, "retain_days", 2600));
    await client.updateBotConfig(change(ledger, "retain_days", 2700));
    expect(await seen(client)).toEqual([
      ["enforce", "FILE"],
      [2700, "STORED"],
      [true, "DEFAULT"],
    ]);
  }
  await using second = await startTestService({ database, config, env });
  const client = await configAs(second, "operator");
  expect(await seen(client)).toEqual([
    ["enforce", "FILE"],
    [2700, "STORED"],
    [true, "DEFAULT"],
  ]);
});

test("a stored value that this version does not take has no effect, and the others have theirs", async () => {
  await using other = await startTestService();
  const client = await configAs(other, "operator");
  const { verdict } = await client.updateBotConfig(change(ledger, "publish_to_user", false));
  expect(verdict?.mode).toBe(Mode.SHADOW_ONLY);
  await other.database.query(
    "superuser",
    `insert into maintenance.bot_config (bot_id, param_name, value_json, decision_id, editor, claimed_editor_id, at)
     values ($1, 'mode', '"strict"', 'x', 'later', 'later', now()), ($1, 'of_a_later_version', '1', 'y', 'later', 'later', now())`,
    [auditor],
  );
  await client.updateBotConfig(change(ledger, "scrub_on_account_close", true)); // Reads what is stored.
  expect(await parameterOf(client, auditor, "mode")).toEqual(["shadow_only", "DEFAULT"]);
  expect(await parameterOf(client, ledger, "publish_to_user")).toEqual([false, "STORED"]);
});
