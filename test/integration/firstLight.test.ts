import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { UserActivityLedgerService } from "../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { startTestService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service[Symbol.asyncDispose]());

test("the payload of spec 001 §11 is recorded", async () => {
  const bot = service.client(UserActivityLedgerService, await service.token({ roles: ["bot"] }));
  const answer = await bot.recordUserAction({
    eventId: "evt_01HX9Z",
    wallet: "0xdeadbeef00000000000000000000000000000001",
    sessionId: "sess_01HX9Z",
    actionType: "STRATEGY_START",
    params: { strategy: "sports-model" },
    traceId: "trc_01HX9Z",
  });
  expect(answer.outcome).toBe(RecordOutcome.RECORDED);
});
