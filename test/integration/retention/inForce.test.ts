import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WriteOutcome } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { recordedWrite } from "../auditor/patiently.ts";
import { write } from "../auditor/writes.ts";
import { type Past, startPast } from "./past.ts";

let past: Past;
let store: AuditorClient;
beforeAll(async () => {
  past = await startPast();
  store = await auditorAs(past.service, "config-store");
});
afterAll(() => past[Symbol.asyncDispose]());

const now = Date.now();
const daysAgo = (days: number) => now - days * 86_400_000;

type Written = {
  readonly age: number;
  readonly param: string;
  /** undefined: the parameter is removed. */
  readonly value: string | undefined;
  readonly environment?: string | undefined;
  readonly outcome?: WriteOutcome | undefined;
};

let writes = 0;

/** Records a write of so many days ago, and what became of it. */
async function record(botSlug: string, written: Written): Promise<string> {
  const { age, param, value, environment, outcome } = written;
  past.clock.set(new Date(daysAgo(age)).toISOString());
  const own = write(param, {
    botSlug,
    writeId: `${++writes}`,
    ...(value === undefined ? {} : { newValueJson: value }),
    ...(environment === undefined ? {} : { environment }),
  });
  const { decisionId } = await recordedWrite(store, { ...own, writeId: `${writes}` });
  if (outcome !== undefined) await store.confirmWrite({ decisionId, outcome });
  return decisionId;
}

/** What every reader of the configuration is told: as of times that history is kept for, and by environment. */
async function told(botSlug: string) {
  past.comeBack();
  const values = [];
  for (const days of [0, 50, 200, 364]) {
    const time = timestampFromMs(daysAgo(days));
    const answer = await past.auditing.getConfigAsOf({ botSlug, ...(days === 0 ? {} : { time }) });
    values.push(answer.values);
  }
  const recorded = [];
  for (const environment of [undefined, "prod", "test", "elsewhere"]) {
    const about = { botSlug, ...(environment === undefined ? {} : { environment }) };
    recorded.push((await store.reconcileConfig(about)).drifts);
  }
  return { values, recorded };
}

/** The ids of the decisions that are left of a bot. */
async function left(botSlug: string): Promise<string[]> {
  const rows = await past.database.query<{ record_id: string }>(
    "superuser",
    "select record_id from auditor.parameter_change where bot_slug = $1 order by epoch, xid, ord",
    [botSlug],
  );
  return rows.map((row) => row.record_id);
}

/** Runs the purge, and answers its steps with the auditor's records. */
async function purged() {
  past.comeBack();
  const { run } = await past.operating.runPurge({});
  return (run?.steps ?? []).filter(
    (step) => step.table.startsWith("auditor.") && step.records + step.heldRecords > 0n,
  );
}

test("what is in force outlives the purge with its confirmation, until what replaced it is past, too", async () => {
  const botSlug = "risk.old";
  const first = await record(botSlug, { age: 900, param: "cap", value: "1", outcome: WriteOutcome.APPLIED });
  await record(botSlug, { age: 800, param: "gone", value: "1" });
  await record(botSlug, { age: 700, param: "gone", value: undefined });
  const second = await record(botSlug, { age: 100, param: "cap", value: "2" });
  const before = await told(botSlug);
  expect(before.values[2]).toMatchObject([{ paramName: "cap", decisionId: first, unconfirmed: false }]);

  const steps = await purged();
  expect(await told(botSlug)).toEqual(before);
  expect(await left(botSlug)).toEqual([first, second]);
  expect(steps.map(({ action, records }) => [action, Number(records)])).toEqual([
    ["DETACHED", 1],
    ["DETACHED", 1],
  ]);
  expect(await purged()).toEqual([]); // Nothing to do, and not a word each day.

  const replaced = await record(botSlug, { age: 500, param: "cap", value: "3" });
  await purged();
  expect(await left(botSlug)).toEqual([second, replaced]);
});

const history = fc.array(
  fc.record({
    age: fc.constantFrom(10, 100, 300, 410, 470, 471, 600, 700, 900, 1400),
    param: fc.constantFrom("a", "b"),
    value: fc.constantFrom("1", "2", undefined),
    environment: fc.constantFrom(undefined, undefined, "prod", "test"),
    outcome: fc.constantFrom(undefined, WriteOutcome.APPLIED, WriteOutcome.ABORTED),
  }),
  { minLength: 3, maxLength: 14 },
);

test("whatever was written, the purge changes no configuration of a time that history is kept for, and takes the rest", async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(history, async (unsorted) => {
      const botSlug = `property.${++round}`;
      const sorted = unsorted.toSorted((a, b) => b.age - a.age);
      const ids: string[] = [];
      for (const one of sorted) ids.push(await record(botSlug, one));
      const before = await told(botSlug);
      await purged();
      expect(await told(botSlug)).toEqual(before);
      await purged(); // Removals go once there is nothing left that they removed.
      expect(await told(botSlug)).toEqual(before);

      const expected = new Set(sorted.flatMap(({ age }, i) => (age < 365 ? [ids[i]] : [])));
      const counting = sorted.map((one, i) => ({ ...one, id: ids[i] })).filter((one) => one.age > 365);
      for (const param of ["a", "b"]) {
        for (const environment of ["prod", "test", "elsewhere"]) {
          const last = counting.findLast(
            (one) =>
              one.param === param &&
              one.outcome !== WriteOutcome.ABORTED &&
              (one.environment ?? environment) === environment,
          );
          if (last?.value !== undefined) expected.add(last.id);
        }
      }
      const extra = (await left(botSlug)).filter((id) => !expected.has(id));
      const removals = extra.filter((id) => sorted[ids.indexOf(id)]?.value === undefined);
      expect(extra).toEqual(removals);
    }),
    { numRuns: 5 },
  );
}, 240_000);
