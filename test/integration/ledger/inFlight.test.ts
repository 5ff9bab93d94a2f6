import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { action } from "./actions.ts";

let service: TestService;
let clients: readonly LedgerClient[];
beforeAll(async () => {
  service = await startTestService();
  clients = await Promise.all(Array.from({ length: 4 }, () => ledgerAs(service, "bot")));
  for (const [n, client] of clients.entries()) await client.recordUserAction(action(`first_${n}`));
});
afterAll(() => service[Symbol.asyncDispose]());

test("200 actions in flight are each answered within their second, and on record once (§21)", async () => {
  for (let round = 0; round < 5; round++) {
    const calls = Array.from({ length: 200 }, async (_, n) => {
      const startedMs = performance.now();
      const client = clients[n % clients.length];
      const answer = await client?.recordUserAction(action(`round_${round}_${n}`));
      return { outcome: answer?.outcome, tookMs: performance.now() - startedMs };
    });
    for (const { outcome, tookMs } of await Promise.all(calls)) {
      expect([RecordOutcome.RECORDED, RecordOutcome.BUFFERED]).toContain(outcome);
      expect(tookMs).toBeLessThan(1_000);
    }
  }
  const count = () =>
    service.database.query(
      "superuser",
      "select count(*)::int as n, count(distinct event_id)::int as events from ledger.user_action where event_id like 'round%'",
    );
  await expect.poll(count, { timeout: 10_000 }).toEqual([{ n: 1_000, events: 1_000 }]);
});
