import { expect, test } from "vitest";
import { auditorAs } from "../../support/callers.ts";
import { logRecords } from "../../support/logRecords.ts";
import { startTestService } from "../../support/service.ts";
import { write } from "./writes.ts";

const isHook = (record: Record<string, unknown>) => record.event_type === "AUDIT_HOOK_FIRED";

test("every CheckWrite leaves the record of §16, a dry run and a repeat too", async () => {
  const log = logRecords("debug");
  await using service = await startTestService({ log: log.log });
  const configStore = await auditorAs(service, "config-store");
  const own = write("max_position_pusd", {
    botSlug: "risk.liquidityguard",
    oldValueJson: "5000",
    newValueJson: "7500",
    writeId: "w",
  });
  for (const more of [{}, {}, { dryRun: true }]) await configStore.checkWrite({ ...own, ...more });
  const printed = {
    bot_id: "gov.parameterchangeauditor",
    event_type: "AUDIT_HOOK_FIRED",
    audited_bot: "risk.liquidityguard",
    param_name: "max_position_pusd",
    diff: { old: 5000, new: 7500 },
  };
  const fired = log.records().filter(isHook);
  expect(fired).toMatchObject([printed, printed, printed]);
  expect(fired.map(({ level }) => level)).toEqual([20, 20, 20]);
});

test("it has no secrets, and of a value that is not there nothing", async () => {
  const log = logRecords("debug");
  await using service = await startTestService({ log: log.log });
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite(write("venue", { newValueJson: '{"api_key":"k-77","url":"u"}' }));
  expect(log.records().filter(isHook)).toMatchObject([
    { diff: { new: { api_key: expect.stringMatching(/^\*{3}:/), url: "u" } } },
  ]);
  expect(log.text()).not.toContain("k-77");
  expect(log.records().filter(isHook)[0]?.diff).not.toHaveProperty("old");
});

test("at the usual level no values are logged at all", async () => {
  const log = logRecords("info");
  await using service = await startTestService({ log: log.log });
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite(write("limit", { oldValueJson: "4711471147", newValueJson: "4712471247" }));
  expect(log.records().filter(isHook)).toEqual([]);
  expect(log.text()).not.toMatch(/4711471147|4712471247/);
});
