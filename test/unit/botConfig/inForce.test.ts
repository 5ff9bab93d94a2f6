import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inForce, type StoredValue } from "../../../src/botConfig/inForce.ts";
import { loadConfigFile } from "../../../src/configFile.ts";

const ledger = "gov.useractivityledger";
const auditor = "gov.parameterchangeauditor";
const defaults = loadConfigFile(undefined).values;

function stored(botId: string, paramName: string, value: unknown, seq = 1): StoredValue {
  return { seq, botId, paramName, value };
}

describe("what is in force", () => {
  test("without a file and without anything stored is the specification's", () => {
    const found = inForce(defaults, {}, []);
    expect(found.values).toEqual({ [ledger]: defaults[ledger], [auditor]: defaults[auditor] });
    expect(found.source(ledger, "retain_days")).toBe("default");
  });

  test("is of the latest source that names it: default, file, stored", () => {
    const days = fc.option(fc.integer({ min: 2555, max: 36_500 }), { nil: undefined });
    fc.assert(
      fc.property(days, days, (inFile, inStore) => {
        const file = { ...defaults, [ledger]: { ...defaults[ledger], retain_days: inFile ?? 2555 } };
        const keys = inFile === undefined ? {} : { [ledger]: new Set(["retain_days"]) };
        const rows = inStore === undefined ? [] : [stored(ledger, "retain_days", inStore)];
        const found = inForce(file, keys, rows);
        expect(found.values[ledger].retain_days).toBe(inStore ?? inFile ?? 2555);
        const source = inStore !== undefined ? "stored" : inFile !== undefined ? "file" : "default";
        expect(found.source(ledger, "retain_days")).toBe(source);
      }),
    );
  });

  test("of one parameter says nothing of the others, nor of the other bot's with the same name", () => {
    const found = inForce(defaults, {}, [stored(auditor, "mode", "enforce")]);
    expect(found.values[auditor]).toEqual({ ...defaults[auditor], mode: "enforce" });
    expect(found.values[ledger]).toEqual(defaults[ledger]);
    expect([found.source(auditor, "mode"), found.source(ledger, "mode")]).toEqual(["stored", "default"]);
  });

  test.each([
    ["of another bot", "gov.other", "mode", "enforce"],
    ["of an unknown parameter", ledger, "colour", "blue"],
    ["of a parameter named as what every object has", ledger, "constructor", {}],
    ["of a value that the parameter may not have", auditor, "require_ticket_for", ["P9"]],
    ["of the other bot's parameter", ledger, "retain_history_days", 400],
  ])("passes over what is stored %s, and tells", (_, botId, paramName, value) => {
    const row = stored(botId, paramName, value);
    const found = inForce(defaults, {}, [row, stored(ledger, "retain_days", 3000)]);
    expect(found.values).toEqual({
      [ledger]: { ...defaults[ledger], retain_days: 3000 },
      [auditor]: defaults[auditor],
    });
    expect(found.unknown).toEqual([row]);
  });
});
