import { afterAll, beforeAll, expect, test } from "vitest";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { type LogRecords, logRecords } from "../../support/logRecords.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { openStream } from "./actionStream.ts";
import { action, wallet } from "./actions.ts";

let service: TestService;
let bot: LedgerClient;
let log: LogRecords;
beforeAll(async () => {
  log = logRecords();
  service = await startTestService({ log: log.log });
  bot = await ledgerAs(service, "bot");
});
afterAll(() => service[Symbol.asyncDispose]());

const uses = () => metricValue(service, "polytraders_gov_useractivityledger_kill_switch_total");

function kill(eventId: string) {
  const params = { reason: "a secret of the user's" };
  return action(eventId, { actionType: "KILL_SWITCH", sessionId: "sess_kill", params });
}

/** The warnings of an event. */
function warned(eventId: string): unknown[] {
  return log.withReason().filter((record) => record.eventId === eventId);
}

const warning = (eventId: string) => ({
  level: "warn",
  reasonCode: "KILL_SWITCH_ACTIVE",
  page: true,
  eventId,
  sessionId: "sess_kill",
});

test("a kill switch is recorded like any action, and said aloud and counted (R19)", async () => {
  expect(await uses()).toBe(0);
  const { report } = await bot.recordUserAction(kill("one"));
  expect(report).toMatchObject({ eventType: "USER_ACTION_RECORDED", actionType: "KILL_SWITCH" });
  expect(warned("one")).toEqual([warning("one")]);
  expect(await uses()).toBe(1);
  const { actions } = await (await ledgerAs(service, "compliance")).listUserActions({
    actionType: "KILL_SWITCH",
  });
  expect(actions.map((entry) => entry.report?.eventId)).toEqual(["one"]);
});

test("sent again or refused as a conflict it is said no second time", async () => {
  await bot.recordUserAction(kill("again"));
  const before = await uses();
  await bot.recordUserAction(kill("again"));
  await refusalOf(bot.recordUserAction({ ...kill("again"), params: { reason: "another" } }));
  expect(warned("again")).toHaveLength(1);
  expect(await uses()).toBe(before);
});

test("one that comes in a stream is said aloud too, its neighbours are not", async () => {
  const before = (await uses()) ?? 0;
  const stream = await openStream(bot, "kills");
  stream.send(1, [action("neighbour", { actionType: "HALT" }), kill("streamed"), kill("streamed")]);
  await stream.ack();
  await stream.end();
  expect(warned("streamed")).toEqual([warning("streamed")]);
  expect(warned("neighbour")).toEqual([]);
  expect(await uses()).toBe(before + 1);
});

test("what is said names neither the wallet nor the parameters", () => {
  expect(log.withReason().length).toBeGreaterThan(0);
  expect(log.text()).not.toContain(wallet.slice(2));
  expect(log.text()).not.toContain("secret");
});
