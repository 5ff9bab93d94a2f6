import { afterAll, beforeAll, expect, test } from "vitest";
import { WriteOutcome } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { readExport } from "../../support/exportReader.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { enforce, type WriteInit, write } from "./writes.ts";

let service: TestService;
let configStore: AuditorClient;
let compliance: AuditorClient;
beforeAll(async () => {
  service = await startTestService({ config: enforce });
  configStore = await auditorAs(service, "config-store");
  compliance = await auditorAs(service, "compliance");
});
afterAll(() => service[Symbol.asyncDispose]());

/** Writes that parameter from one value to another; null: there is none. */
function change(
  paramName: string,
  before: string | null,
  after: string | null,
  more: Partial<WriteInit> = {},
) {
  const old = before === null ? {} : { oldValueJson: before };
  const now = after === null ? {} : { newValueJson: after };
  return configStore.checkWrite(write(paramName, { ...old, ...now, ...more }));
}

const stale = (answer: Awaited<ReturnType<typeof change>>) => answer.report?.staleOldValue;

test("an old value that is not the last recorded one is told at once, and by every reader", async () => {
  const paramName = "told";
  const first = await change(paramName, "1", "2");
  const answer = await change(paramName, "1", "3");
  expect(stale(first)).toBe(false);
  expect(answer).toMatchObject({
    allowed: true,
    report: { staleOldValue: true, staleAgainst: first.decisionId },
  });
  const { changes } = await compliance.listParameterChanges({ paramName });
  expect(changes).toMatchObject([
    { report: { staleOldValue: true, staleAgainst: first.decisionId } },
    { report: { staleOldValue: false, staleAgainst: "" } },
  ]);
  const { lines } = await readExport(compliance.exportParameterChanges({ paramName }));
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({
    stale_old_value: true,
    stale_against: first.decisionId,
  });
  expect(JSON.parse(lines[0] ?? "")).not.toHaveProperty("stale_old_value");
});

test.each<[string, string | null, string | null, boolean]>([
  ["the same value", '{"a":1,"b":[2]}', '{"b":[2.0],"a":1}', false],
  ["another one", "1", "2", true],
  ["none where there is one", "1", null, true],
  ["null where there is none", null, "null", true],
  ["none where it was removed", null, null, false],
])("the last value recorded, and then %s", async (what, recorded, old, isStale) => {
  await change(what, "0", recorded);
  expect(stale(await change(what, old, "9"))).toBe(isStale);
});

test("the names compare as everywhere (R24)", async () => {
  await change("max_size", "0", "1");
  expect(stale(await change("Max-Size", "0", "2", { botSlug: "Strategy.SPORTS_" }))).toBe(true);
  expect(stale(await change("max_size", "7", "2", { botSlug: "strategy.other" }))).toBe(false);
});

test("a rejected write and an aborted one never were", async () => {
  const own = { botSlug: "risk.killswitch" };
  await change("armed", "0", "1", { ...own, ticketRef: "T" });
  expect(await change("armed", "1", "2", own)).toMatchObject({ allowed: false });
  const { decisionId } = await change("armed", "1", "3", { ...own, ticketRef: "T" });
  await configStore.confirmWrite({ decisionId, outcome: WriteOutcome.ABORTED });
  expect(stale(await change("armed", "1", "4", { ...own, ticketRef: "T" }))).toBe(false);
});

test("each environment has its own last value", async () => {
  await change("env", "0", "1", { environment: "production" });
  expect(stale(await change("env", "5", "2", { environment: "staging" }))).toBe(false);
  expect(stale(await change("env", "1", "3", { environment: "production" }))).toBe(false);
  expect(stale(await change("env", "2", "3"))).toBe(true);
});

test("in one commit as across commits: whatever is recorded together", async () => {
  // Many at once share commits; one behind the other they do not. Each names what its own kind left.
  const steps: [string | undefined, string, string][] = [
    ["production", "0", "1"],
    ["staging", "0", "7"],
    ["production", "1", "2"],
    [undefined, "7", "3"],
    ["staging", "3", "4"],
    ["production", "2", "5"],
  ];
  const ask = (paramName: string) => (step: (typeof steps)[number]) => {
    const [environment, before, after] = step;
    return change(paramName, before, after, environment === undefined ? {} : { environment });
  };
  const apart: (boolean | undefined)[] = [];
  for (const step of steps) apart.push(stale(await ask("apart")(step)));
  const together = await Promise.all(steps.map(ask("together")));
  expect(apart).toEqual([false, false, false, true, false, true]);
  expect(together.map(stale)).toEqual(apart);
});

test("a secret is compared without being kept", async () => {
  await change("x.api_key", '"a"', '"b"');
  expect(stale(await change("x.api_key", '"b"', '"c"'))).toBe(false);
  expect(stale(await change("x.api_key", '"b"', '"d"'))).toBe(true);
});

test("a write without a verdict is compared too, and a repeat says what the record says", async () => {
  await change("ungated", "0", "1");
  const late = {
    ...write("ungated", { oldValueJson: "0", newValueJson: "2", writeId: "late" }),
    changedAt: { seconds: 1n, nanos: 0 },
    cause: "UNAVAILABLE",
  };
  for (const replayed of [false, true]) {
    expect(await configStore.recordUngatedWrite(late)).toMatchObject({
      replayed,
      report: { staleOldValue: true },
    });
  }
});

test("twenty at once from the same value: the first in the log is right, and all others are stale", async () => {
  await change("race", null, "0");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => change("race", "0", String(i + 1))));
  expect(answers.filter((answer) => !stale(answer))).toHaveLength(1);
  const { lines } = await readExport(compliance.exportParameterChanges({ paramName: "race" }));
  const rows = lines.map((line) => JSON.parse(line)).slice(1);
  expect(rows.map((row) => row.stale_old_value ?? false)).toEqual([false, ...Array(19).fill(true)]);
  const before = rows.slice(0, -1).map((row) => row.decision_id);
  expect(rows.slice(1).map((row) => row.stale_against)).toEqual(before);
});
