import { expect, test } from "vitest";
import { BotConfigService } from "../../../gen/ts/polytraders/governance/v1/bot_config_service_pb.ts";
import { auditorAs } from "../../support/callers.ts";
import { logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, exampleTiers, write } from "./writes.ts";

const alerts = "polytraders_gov_parameterchangeauditor_p0_alerts_total";
const p0 = write("armed", { botSlug: "risk.killswitch" });
const withTicket = { ...p0, ticketRef: "PTRD-1" };

/** A service, what it logs, and a caller. */
async function started(config: string) {
  const log = logRecords();
  const service: TestService = await startTestService({ config, log: log.log });
  const configStore = await auditorAs(service, "config-store");
  // That Postgres was slow for a moment is told too, on a busy machine.
  const records = () =>
    log.withReason().filter(({ reasonCode }) => !`${reasonCode}`.startsWith("AUDIT_LOG_"));
  const told = () => records().map(({ reasonCode, page }) => ({ reasonCode, page }));
  return {
    service,
    configStore,
    log,
    records,
    told,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

test("a P0 change that may proceed pages at once, once, and counts (§26)", async () => {
  await using it = await started(enforce);
  const own = { ...withTicket, writeId: "once", newValueJson: "4711" };
  const { decisionId } = await it.configStore.checkWrite(own);
  await it.configStore.checkWrite(own);
  await it.configStore.checkWrite({ ...own, dryRun: true });
  await it.configStore.checkWrite(write("size"));
  expect(it.records()).toMatchObject([
    { level: "warn", reasonCode: "P0_PARAMETER_CHANGED", page: true, decisionId, paramTier: "P0" },
  ]);
  expect(it.log.text()).not.toContain("4711");
  expect(await metricValue(it.service, alerts)).toBe(1);
});

test("a rejection pages as AUDIT_TICKET_REQUIRED, and is no change", async () => {
  await using it = await started(enforce);
  const own = { ...p0, writeId: "rejected" };
  for (let i = 0; i < 2; i++) await it.configStore.checkWrite(own);
  expect(it.told()).toEqual([{ reasonCode: "AUDIT_TICKET_REQUIRED", page: true }]);
  expect(await metricValue(it.service, alerts)).toBe(0);
});

test("in shadow_only what would be rejected pages as both: the write goes through (R5)", async () => {
  await using it = await started(exampleTiers);
  await it.configStore.checkWrite(p0);
  expect(it.told()).toEqual([
    { reasonCode: "AUDIT_TICKET_REQUIRED", page: true },
    { reasonCode: "P0_PARAMETER_CHANGED", page: true },
  ]);
  expect(await metricValue(it.service, alerts)).toBe(1);
});

test("alert_on_p0_change=false silences the page and not the record, also when it is changed meanwhile", async () => {
  const off = "gov.parameterchangeauditor: { mode: enforce, alert_on_p0_change: false }";
  await using it = await started(`${off}\n${exampleTiers}`);
  expect(await it.configStore.checkWrite(withTicket)).toMatchObject({ allowed: true });
  expect(it.told()).toEqual([]);
  const operator = it.service.client(BotConfigService, await it.service.token({ roles: ["operator"] }));
  await operator.updateBotConfig({
    botId: "gov.parameterchangeauditor",
    paramName: "alert_on_p0_change",
    value: { kind: { case: "boolValue", value: true } },
    editorId: "alice",
    ticketRef: "PTRD-2",
  });
  await it.configStore.checkWrite(withTicket);
  expect(it.told()).toEqual([{ reasonCode: "P0_PARAMETER_CHANGED", page: true }]);
});

test("automation is recorded and pages nobody (R16)", async () => {
  const automation = "automation: [{ subject: refresher, pattern: risk.killswitch.* }]";
  await using it = await started(`${enforce}\n${automation}`);
  const refresher = await auditorAs(it.service, "config-store", { subject: "refresher" });
  expect(await refresher.checkWrite(withTicket)).toMatchObject({ report: { automated: true } });
  await refresher.checkWrite(p0);
  expect(it.told()).toEqual([{ reasonCode: "AUDIT_TICKET_REQUIRED", page: false }]);
  expect(await metricValue(it.service, alerts)).toBe(0);
});

test("a P0 write of automation that went through without a verdict is recorded, and pages nobody (R16)", async () => {
  const automation = "automation: [{ subject: refresher, pattern: risk.killswitch.* }]";
  await using it = await started(`${enforce}\n${automation}`);
  const late = { ...p0, changedAt: { seconds: 1n, nanos: 0 }, cause: "UNAVAILABLE" };
  const refresher = await auditorAs(it.service, "config-store", { subject: "refresher" });
  const { report } = await refresher.recordUngatedWrite({ ...late, writeId: "refreshed" });
  expect(report).toMatchObject({ eventType: "UNGATED_WRITE", automated: true });
  expect(it.told()).toEqual([{ reasonCode: "UNGATED_WRITE", page: false }]);
  expect(await metricValue(it.service, alerts)).toBe(0);
});

test("a P0 change without a verdict is one too", async () => {
  await using it = await started(enforce);
  const late = { ...p0, writeId: "late", changedAt: { seconds: 1n, nanos: 0 }, cause: "UNAVAILABLE" };
  await it.configStore.recordUngatedWrite(late);
  await it.configStore.recordUngatedWrite(late);
  expect(it.told()).toEqual([
    { reasonCode: "P0_PARAMETER_CHANGED", page: true },
    { reasonCode: "UNGATED_WRITE", page: true },
  ]);
  expect(await metricValue(it.service, alerts)).toBe(1);
});
