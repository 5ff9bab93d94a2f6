import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type CheckWriteResponse,
  Durability,
  Verdict,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, type WriteInit, write } from "./writes.ts";

let proxy: DatabaseProxy;
let service: TestService;
let configStore: AuditorClient;
const running = new AsyncDisposableStack();
beforeAll(async () => {
  const database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const env = { DATABASE_URL: proxy.through(database.url("service")) };
  service = running.use(await startTestService({ database, env, config: enforce }));
  configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite(write("before"));
});
afterAll(() => running.disposeAsync());
afterEach(() => {
  proxy.mend();
  proxy.thaw();
});

/** A verdict, and how long the caller waited for it. */
async function timed(more: WriteInit): Promise<{ answer: CheckWriteResponse; tookMs: number }> {
  const startedMs = performance.now();
  const answer = await configStore.checkWrite(more);
  return { answer, tookMs: performance.now() - startedMs };
}

/** Waits until decisions are recorded again. */
async function recordedAgain(): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const { durability } = await configStore.checkWrite(write("again?"));
    if (durability === Durability.DURABLE) return performance.now() - startedMs;
    await sleep(20);
  }
}

describe.each<[string, () => void]>([
  ["is cut off and refuses connections", () => proxy.cut()],
  ["is there and says nothing", () => proxy.freeze()],
])("while Postgres %s", (how, breakIt) => {
  test("every verdict comes within 500 ms, says that it is not recorded, and is the right one", async () => {
    breakIt();
    const p0 = write("armed", { botSlug: "risk.killswitch", oldValueJson: "true", newValueJson: "false" });
    for (let round = 0; round < 3; round++) {
      const [rejected, allowed] = await Promise.all([timed(p0), timed({ ...p0, ticketRef: "PTRD-1" })]);
      expect(rejected.answer).toMatchObject({
        allowed: false,
        verdict: Verdict.REJECT,
        reasonCode: "AUDIT_TICKET_REQUIRED",
        durability: Durability.NOT_RECORDED,
        paramTier: "P0",
        diff: [{ oldJson: "true", newJson: "false" }],
        report: { eventType: "AUDIT_TICKET_REQUIRED" },
      });
      expect(allowed.answer).toMatchObject({
        allowed: true,
        durability: Durability.NOT_RECORDED,
        userMessage: "This configuration change may go ahead, but it is not in the audit log yet.",
      });
      expect(Math.max(rejected.tookMs, allowed.tookMs)).toBeLessThan(500);
    }
  });

  test("50 callers at once are all answered within 500 ms", async () => {
    breakIt();
    const calls = Array.from({ length: 50 }, (_, n) => timed(write(`crowd_${n}`, { writeId: `crowd_${n}` })));
    for (const { answer, tookMs } of await Promise.all(calls)) {
      expect(answer).toMatchObject({ allowed: true, durability: Durability.NOT_RECORDED, replayed: false });
      expect(tookMs).toBeLessThan(500);
    }
  });

  test("a user action is refused with what makes a retry safe, within its second", async () => {
    breakIt();
    const bot = await ledgerAs(service, "bot");
    const startedMs = performance.now();
    const refusal = await refusalOf(
      bot.recordUserAction({
        eventId: "evt_outage",
        wallet: `0x${"1".repeat(40)}`,
        sessionId: "s",
        actionType: "HALT",
      }),
    );
    expect(["STORE_UNAVAILABLE", "BUDGET_EXCEEDED"]).toContain(refusal.reason);
    expect(refusal.message).not.toMatch(/postgres|sql|ECONN|timeout|127\.0\.0\.1/i);
    expect(performance.now() - startedMs).toBeLessThan(1_200);
  });

  test("decisions are recorded again soon after it is back, and a retry finds what became of the first try", async () => {
    breakIt();
    const retried = write("retried", { writeId: `retried: ${how}`, newValueJson: "1" });
    const lost = await configStore.checkWrite(retried);
    expect(lost.durability).toBe(Durability.NOT_RECORDED);
    proxy.mend();
    proxy.thaw();
    expect(await recordedAgain()).toBeLessThan(5_000);
    const again = await configStore.checkWrite(retried);
    expect(again).toMatchObject({ durability: Durability.DURABLE, verdict: lost.verdict });
    const rows = await service.database.query(
      "superuser",
      "select record_id from auditor.parameter_change where write_id = $1",
      [retried.writeId],
    );
    expect(rows).toEqual([{ record_id: again.decisionId }]);
  });
});

test("a write_id taken before the outage is not used up by an answer that is not recorded", async () => {
  const conflicting = write("taken", { writeId: "taken", newValueJson: "1" });
  await recordedAgain();
  const original = await configStore.checkWrite(conflicting);
  proxy.cut();
  const during = await configStore.checkWrite(conflicting);
  expect(during).toMatchObject({ allowed: true, durability: Durability.NOT_RECORDED });
  proxy.mend();
  await recordedAgain();
  expect(await configStore.checkWrite(conflicting)).toMatchObject({
    replayed: true,
    decisionId: original.decisionId,
  });
});
