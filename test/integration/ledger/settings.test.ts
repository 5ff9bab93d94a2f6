import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { StartupError } from "../../../src/startupError.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action, otherWallet } from "./actions.ts";

const retentionGauge = "polytraders_gov_useractivityledger_retention_days";
const actionsTotal = (type: string) =>
  `polytraders_gov_useractivityledger_actions_total{action_type="${type}"}`;

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

async function serviceWith(
  retainDays: number,
): Promise<{ service: TestService; retainedUntil: string | undefined }> {
  const config = `gov.useractivityledger: { retain_days: ${retainDays} }`;
  const clock = stoppedClock("2026-05-09T10:00:00Z");
  const service = running.use(await startTestService({ config, clock }));
  const { report } = await (await ledgerAs(service, "bot")).recordUserAction(action("evt"));
  return { service, retainedUntil: report?.retainedUntil };
}

test("a retain_days below the regulation's starts, shows itself, and shortens nothing (R2)", async () => {
  const { service, retainedUntil } = await serviceWith(30);
  expect(retainedUntil).toBe("2033-05-09");
  expect(await metricValue(service, retentionGauge)).toBe(30);
  const anybody = service.client(
    BotConfigService,
    await service.token({ roles: ["user"], ttlSeconds: 50 * 366 * 86_400 }),
  );
  const { parameters } = await anybody.getBotConfig({ botId: "gov.useractivityledger" });
  expect(parameters.find((parameter) => parameter.paramName === "retain_days")).toMatchObject({
    value: { kind: { case: "numberValue", value: 30 } },
    defaultValue: { kind: { case: "numberValue", value: 2555 } },
    warning: "RETENTION_BELOW_REGULATORY_MINIMUM",
  });
});

test("a longer retain_days keeps records longer", async () => {
  const { service, retainedUntil } = await serviceWith(4000);
  expect(retainedUntil).toBe("2037-04-21");
  expect(await metricValue(service, retentionGauge)).toBe(4000);
});

test("an export format other than jsonl stops the start, with its path (R27)", async () => {
  const config = "gov.useractivityledger: { export_format: csv }";
  const start = startTestService({ config });
  await expect(start).rejects.toBeInstanceOf(StartupError);
  await expect(start).rejects.toThrow(/gov\.useractivityledger\.export_format/);
});

describe("kinds of actions", () => {
  let service: TestService;
  let bot: LedgerClient;
  beforeAll(async () => {
    service = running.use(await startTestService());
    bot = await ledgerAs(service, "bot");
  });
  const countOf = async (actionType: string) => (await metricValue(service, actionsTotal(actionType))) ?? 0;

  test.each([
    "STRATEGY_START",
    "STRATEGY_STOP",
    "PARAMETER_CHANGE",
    "HALT",
    "OVERRIDE",
    "KILL_SWITCH",
    "ACCOUNT_CLOSE",
  ])("%s is counted under its own name", async (actionType) => {
    const before = await countOf(actionType);
    await bot.recordUserAction(action(`evt_${actionType}`, { actionType }));
    expect(await countOf(actionType)).toBe(before + 1);
  });

  test("unknown kinds are recorded as they came and counted as OTHER (R8)", async () => {
    for (const actionType of ["A", "MOON_SHOT_2", "X".repeat(64)]) {
      const { outcome, report } = await bot.recordUserAction(action(`evt_${actionType}`, { actionType }));
      expect([outcome, report?.actionType]).toEqual([RecordOutcome.RECORDED, actionType]);
    }
    expect(await metricValue(service, actionsTotal("OTHER"))).toBe(3);
  });

  test.each(["", "halt", "1ST", "_X", "A-B", "A B", "Ä", "X".repeat(65), "A\n"])(
    "%j is none",
    async (actionType) => {
      expect(await refusalOf(bot.recordUserAction(action("evt_bad", { actionType })))).toMatchObject({
        code: "InvalidArgument",
        reason: "INVALID_FIELD",
        field: "action_type",
      });
    },
  );

  test("duplicates, conflicts and refused ones are not counted", async () => {
    await bot.recordUserAction(action("evt_twice", { actionType: "HALT" }));
    const before = await countOf("HALT");
    await bot.recordUserAction(action("evt_twice", { actionType: "HALT" }));
    await refusalOf(bot.recordUserAction(action("evt_twice", { actionType: "HALT", wallet: otherWallet })));
    await refusalOf(bot.recordUserAction(action("", { actionType: "HALT" })));
    expect(await countOf("HALT")).toBe(before);
  });
});

test("the time that a caller claims is kept as a claim: the service's own orders, files and retains (R10)", async () => {
  const clock = stoppedClock("2026-05-09T10:00:00Z");
  await using service = await startTestService({ clock });
  const bot = await ledgerAs(service, "bot");
  const compliance = await ledgerAs(service, "compliance");
  await bot.recordUserAction(action("claims later", { occurredAt: { seconds: 4_000_000_000n, nanos: 0 } }));
  clock.set("2026-05-09T09:00:00Z"); // The machine's clock was set back.
  await bot.recordUserAction(action("claims earlier", { occurredAt: { seconds: 1n, nanos: 0 } }));
  const { actions } = await compliance.listUserActions({});
  expect(
    actions.map(({ report }) => [report?.eventId, report?.occurredAt?.seconds, report?.retainedUntil]),
  ).toEqual([
    ["claims earlier", 1n, "2033-05-09"],
    ["claims later", 4_000_000_000n, "2033-05-09"],
  ]);
  const toTime = { seconds: BigInt(Date.parse("2026-05-09T09:30:00Z") / 1000), nanos: 0 };
  const earlier = await compliance.listUserActions({ toTime });
  expect(earlier.actions.map(({ report }) => report?.eventId)).toEqual(["claims earlier"]);
});
