import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { patiently, recordedWrite } from "./patiently.ts";
import { exampleTiers, write } from "./writes.ts";

let lines: string[] = [];
let service: TestService;
let store: AuditorClient;
beforeAll(async () => {
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  service = await startTestService({ config: exampleTiers, log });
  store = await auditorAs(service, "config-store");
});
afterAll(() => service[Symbol.asyncDispose]());
beforeEach(() => {
  lines = [];
});

const warnLevel = 40;

function said(reasonCode: string): unknown[] {
  return lines.map((line) => JSON.parse(line)).filter((record) => record.reasonCode === reasonCode);
}

test.each([
  ["P0", "risk.killswitch", "armed", true],
  ["P1", "risk.liquidityguard", "max_position_pusd", true],
  ["P2", "strategy.sports", "edge", false],
])(
  "a write of tier %s without a verdict is said aloud once, without its values, and pages if it is for people on call",
  async (paramTier, botSlug, paramName, page) => {
    const ungated = {
      ...{ botSlug, paramName, editorId: "alice", newValueJson: '"sesame"', writeId: paramTier },
      ...{ changedAt: { seconds: 1n, nanos: 0 }, cause: "UNAVAILABLE" },
    };
    const { decisionId } = await patiently(() => store.recordUngatedWrite(ungated));
    await patiently(() => store.recordUngatedWrite(ungated));
    expect(said("UNGATED_WRITE")).toMatchObject([
      { level: warnLevel, botSlug, paramName, paramTier, decisionId, page },
    ]);
    expect(lines.join()).not.toContain("sesame");
  },
);

test("one that folds into its decision is not said: it had its verdict", async () => {
  const own = { ...write("folded", { newValueJson: "1" }), writeId: "folded" };
  await recordedWrite(store, own);
  const changedAt = { seconds: 1n, nanos: 0 };
  await patiently(() => store.recordUngatedWrite({ ...own, changedAt, cause: "UNAVAILABLE" }));
  expect(said("UNGATED_WRITE")).toEqual([]);
});

test("drift is said aloud with how much and where, without its values", async () => {
  const live = Array.from({ length: 30 }, (_, i) => ({ paramName: `p${i}`, valueJson: '"sesame"' }));
  await patiently(() => store.reconcileConfig({ botSlug: "drifting", liveValues: live }));
  const [record, ...others] = said("CONFIG_DRIFT_DETECTED");
  expect(record).toMatchObject({ level: warnLevel, botSlug: "drifting", drifts: 30 });
  expect(record).toHaveProperty("paramNames.length", 20);
  expect(others).toEqual([]);
  expect(lines.join()).not.toContain("sesame");
  lines = [];
  await patiently(() => store.reconcileConfig({ botSlug: "drifting", liveValues: [] }));
  expect(said("CONFIG_DRIFT_DETECTED")).toEqual([]);
});
