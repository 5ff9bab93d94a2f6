import { pino } from "pino";
import { expect, test } from "vitest";
import { createSettings } from "../../../src/botConfig/settings.ts";
import { loadConfigFile } from "../../../src/configFile.ts";

const ledger = "gov.useractivityledger";
const auditor = "gov.parameterchangeauditor";

function fresh() {
  const { values, set } = loadConfigFile(undefined);
  return createSettings({ file: values, inFile: set, log: pino({ level: "silent" }) });
}

test("what was read earlier and comes later changes nothing back", () => {
  const settings = fresh();
  settings.adopt([{ seq: 2, botId: ledger, paramName: "retain_days", value: 4000 }]);
  settings.adopt([{ seq: 1, botId: ledger, paramName: "retain_days", value: 3000 }]);
  settings.adopt([]);
  expect(settings.ledger().retainDays).toBe(4000);
});

test("the policy is made anew when something changed, and only then", () => {
  const settings = fresh();
  const first = settings.policy();
  const rows = [{ seq: 1, botId: auditor, paramName: "mode", value: "enforce" }];
  settings.adopt(rows);
  const second = settings.policy();
  expect([first.mode, second.mode]).toEqual(["shadow_only", "enforce"]);
  expect(second.version).not.toBe(first.version);
  settings.adopt(rows);
  expect(settings.policy()).toBe(second);
});
