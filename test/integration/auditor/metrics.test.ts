import { expect, test } from "vitest";
import { auditorAs } from "../../support/callers.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService } from "../../support/service.ts";
import { enforce, exampleTiers, write } from "./writes.ts";

const changes = (slug: string, tier: string) =>
  `polytraders_gov_parameterchangeauditor_changes_total{bot_slug="${slug}",param_tier="${tier}"}`;
const rejections = 'polytraders_gov_parameterchangeauditor_rejections_total{reason="AUDIT_TICKET_REQUIRED"}';

test("changes are counted by bot and tier, bots the policy does not name as OTHER (R8)", async () => {
  await using service = await startTestService({ config: enforce });
  const configStore = await auditorAs(service, "config-store");
  for (const botSlug of ["strategy.a", "strategy.b"]) await configStore.checkWrite(write("x", { botSlug }));
  await configStore.checkWrite(write("armed", { botSlug: "Risk.Kill_Switch", ticketRef: "T" }));
  expect(await metricValue(service, changes("OTHER", "P2"))).toBe(2);
  expect(await metricValue(service, changes("risk.killswitch", "P0"))).toBe(1);
});

test("rejections are counted by reason, and are no changes; replays, conflicts and dry runs are neither", async () => {
  await using service = await startTestService({ config: enforce });
  const configStore = await auditorAs(service, "config-store");
  const p0 = write("armed", { botSlug: "risk.killswitch", writeId: "w" });
  await configStore.checkWrite(p0);
  await configStore.checkWrite(p0);
  await configStore.checkWrite({ ...p0, dryRun: true });
  await refusalOf(configStore.checkWrite({ ...p0, environment: "other" }));
  expect(await metricValue(service, rejections)).toBe(1);
  expect(await metricValue(service, changes("risk.killswitch", "P0"))).toBeUndefined();
});

test("in shadow_only a rejection is counted as one, and the change that went through as one too (R5)", async () => {
  await using service = await startTestService({ config: exampleTiers });
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite(write("armed", { botSlug: "risk.killswitch" }));
  expect(await metricValue(service, rejections)).toBe(1);
  expect(await metricValue(service, changes("risk.killswitch", "P0"))).toBe(1);
});
