import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Mode } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { metricValue } from "../../support/metrics.ts";
import { asRefusal } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action, wallet } from "../ledger/actions.ts";
import { auditor, type ConfigClient, change, configAs, ledger } from "./config.ts";

const running = new AsyncDisposableStack();
let here: TestService;
let there: TestService;
let operator: ConfigClient;
beforeAll(async () => {
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-live-")));
  const database = running.use(await createTestDatabase());
  const env = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  here = running.use(await startTestService({ database, env }));
  there = running.use(await startTestService({ database, env }));
  operator = await configAs(here, "operator");
});
afterAll(() => running.disposeAsync());

/** The contract's 2 s, and as much again for a machine that is busy with other tests. */
const withinMs = 2_000 + 2_000;

/** Changes a parameter on one replica; the effect is to be there at once, and soon on the other one. */
async function changed(
  botId: string,
  paramName: string,
  value: JsonValue,
  effect: (on: TestService) => Promise<unknown>,
  expected: unknown,
): Promise<void> {
  const { verdict } = await operator.updateBotConfig(change(botId, paramName, value));
  const startedMs = performance.now();
  expect(verdict?.allowed).toBe(true);
  expect(await effect(here), "where it was changed").toEqual(expected);
  for (;;) {
    const found = await effect(there);
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    if (performance.now() - startedMs > withinMs) expect(found, "on the other replica").toEqual(expected);
    await sleep(20);
  }
}

test("mode: writes are rejected, under another policy version, and no longer when it is changed back", async () => {
  const p0 = write("armed", { botSlug: "gov.killswitch" });
  const answer = async (on: TestService) => (await auditorAs(on, "config-store")).checkWrite(p0);
  const allowed = async (on: TestService) => {
    const { allowed, mode } = await answer(on);
    return [allowed, mode];
  };
  const first = await answer(there);
  await changed(auditor, "mode", "enforce", allowed, [false, Mode.ENFORCE]);
  const versions = [(await answer(here)).policyVersion, (await answer(there)).policyVersion];
  expect(new Set([first.policyVersion, ...versions]).size).toBe(2);
  await changed(auditor, "mode", "shadow_only", allowed, [true, Mode.SHADOW_ONLY]);
  expect((await answer(there)).policyVersion).toBe(first.policyVersion);
});

test("require_ticket_for: other tiers need a ticket", async () => {
  const verdicts = async (on: TestService) => {
    const configStore = await auditorAs(on, "config-store");
    const p0 = await configStore.checkWrite(write("armed", { botSlug: "gov.killswitch" }));
    const p2 = await configStore.checkWrite(write("edge"));
    return [p0.reasonCode, p2.reasonCode];
  };
  expect(await verdicts(there)).toEqual(["AUDIT_TICKET_REQUIRED", "PARAM_CHANGED"]);
  await changed(auditor, "require_ticket_for", ["P2"], verdicts, ["PARAM_CHANGED", "AUDIT_TICKET_REQUIRED"]);
  await changed(auditor, "require_ticket_for", [], verdicts, ["PARAM_CHANGED", "PARAM_CHANGED"]);
});

test("retain_days: records are kept longer, and the gauge shows it", async () => {
  let events = 0;
  const kept = async (on: TestService) => {
    const bot = await ledgerAs(on, "bot");
    const { report } = await bot.recordUserAction(action(`evt_${++events}_${on.grpcPort}`));
    const gauge = await metricValue(on, "polytraders_gov_useractivityledger_retention_days");
    const seconds = Number(report?.recordedAt?.seconds);
    const days = Math.round(
      Date.parse(report?.retainedUntil ?? "") / 86_400_000 - Math.floor(seconds / 86_400),
    );
    return [gauge, days];
  };
  await changed(ledger, "retain_days", 4000, kept, [4000, 4000]);
  await changed(ledger, "retain_days", 3000, kept, [3000, 3000]);
});

test("publish_to_user: users read nothing, and read again", async () => {
  const outcome = async (on: TestService) => {
    const user = await ledgerAs(on, "user", { wallet });
    return user.listUserActions({}).then(
      () => "answered",
      (cause: unknown) => asRefusal(cause).reason,
    );
  };
  expect(await outcome(there)).toBe("answered");
  await changed(ledger, "publish_to_user", false, outcome, "NOT_PUBLISHED");
  await changed(ledger, "publish_to_user", true, outcome, "answered");
});
