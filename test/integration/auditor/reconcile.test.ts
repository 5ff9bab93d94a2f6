import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WriteOutcome } from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { metricValue } from "../../support/metrics.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { recordedWrite } from "./patiently.ts";
import { type WriteInit, write } from "./writes.ts";

let service: TestService;
let store: AuditorClient;
beforeAll(async () => {
  service = await startTestService();
  store = await auditorAs(service, "config-store");
});
afterAll(() => service[Symbol.asyncDispose]());

let puts = 0;
async function put(
  botSlug: string,
  paramName: string,
  json: string | undefined,
  more: Partial<WriteInit> = {},
) {
  const value = json === undefined ? {} : { newValueJson: json };
  const own = { ...write(paramName, { botSlug, ...value, ...more }), writeId: `put ${++puts}` };
  return (await recordedWrite(store, own)).decisionId;
}

type Live = Record<string, string | undefined>;

async function reconcile(botSlug: string, live: Live, environment?: string) {
  const liveValues = Object.entries(live).map(([paramName, valueJson]) => ({
    paramName,
    ...(valueJson === undefined ? {} : { valueJson }),
  }));
  const where = environment === undefined ? {} : { environment };
  const { drifts, compared } = await store.reconcileConfig({ botSlug, liveValues, ...where });
  return {
    compared,
    drifts: drifts.map(({ paramName, recordedJson, liveJson }) => [paramName, recordedJson, liveJson]),
  };
}

async function recordedDrifts(botKey: string): Promise<unknown[]> {
  return service.database.query(
    "superuser",
    `select param_name, decision_id, recorded_json, live_json, environment, recorded_by
     from auditor.config_drift where bot_key = $1 order by epoch, xid, ord`,
    [botKey],
  );
}

test("a bot that runs with what is on record has no drift, and nothing is recorded", async () => {
  await put("same", "limits", '{"max":1.0,"min":[1,2]}');
  await put("same", "Max_Pos", "9007199254740993");
  await put("same", "nothing", "null");
  await put("same", "gone", "1");
  await put("same", "gone", undefined);
  const live = { limits: '{"min":[1e0,2],"max":1}', "max-pos": "9007199254740993", nothing: "null" };
  expect(await reconcile("same", live)).toEqual({ compared: 3, drifts: [] });
  expect(await reconcile("Same", { ...live, never: undefined })).toEqual({ compared: 4, drifts: [] });
  expect(await recordedDrifts("same")).toEqual([]);
});

test("each difference is answered with both values, is on record, and is counted", async () => {
  const metric = "polytraders_gov_parameterchangeauditor_config_drifts_total";
  const before = (await metricValue(service, metric)) ?? 0;
  const changed = await put("drifting", "changed", "9007199254740993");
  const lost = await put("drifting", "lost", "null");
  await put("drifting", "same", "1");
  const live = { same: "1", changed: "9007199254740992", added: '"x"', empty: undefined };
  expect(await reconcile("drifting", live)).toEqual({
    compared: 5,
    drifts: [
      ["changed", "9007199254740993", "9007199254740992"],
      ["lost", "null", undefined],
      ["added", undefined, '"x"'],
    ],
  });
  const about = { environment: null, recorded_by: "tester" };
  const rows = [
    {
      ...about,
      param_name: "changed",
      decision_id: changed,
      recorded_json: "9007199254740993",
      live_json: "9007199254740992",
    },
    { ...about, param_name: "lost", decision_id: lost, recorded_json: "null", live_json: null },
    { ...about, param_name: "added", decision_id: null, recorded_json: null, live_json: '"x"' },
  ];
  expect(await recordedDrifts("drifting")).toEqual(rows);
  expect(await metricValue(service, metric)).toBe(before + 3);
  await reconcile("drifting", live);
  expect(await recordedDrifts("drifting"), "one row a difference and call").toEqual([...rows, ...rows]);
});

test.each([
  ["-0", "0"],
  ["1", '"1"'],
  ["[1,2]", "[2,1]"],
  ["null", undefined],
  ["1e400", "1e401"],
])("%s on record is not %s live", async (recorded, live) => {
  const bot = `exact ${recorded}`;
  await put(bot, "p", recorded);
  expect((await reconcile(bot, { p: live })).drifts).toEqual([["p", recorded, live]]);
});

test("what counts as recorded is in force: not rejected, not aborted, confirmed or not", async () => {
  await put("forced", "p", "1");
  const aborted = await put("forced", "p", "2");
  await store.confirmWrite({ decisionId: aborted, outcome: WriteOutcome.ABORTED });
  expect(await reconcile("forced", { p: "1" })).toEqual({ compared: 1, drifts: [] });
});

describe("with an environment", () => {
  beforeAll(async () => {
    await put("placed", "p", "1", { environment: "production" });
    await put("placed", "p", "2", { environment: "staging" });
    await put("placed", "everywhere", "3");
  });

  test("only writes that carry it, or none, count", async () => {
    expect((await reconcile("placed", { p: "1", everywhere: "3" }, "production")).drifts).toEqual([]);
    expect((await reconcile("placed", { p: "2", everywhere: "3" }, "staging")).drifts).toEqual([]);
    expect((await reconcile("placed", { everywhere: "3" }, "Staging")).drifts).toEqual([]);
  });

  test("without one the last write counts, wherever it was for", async () => {
    expect((await reconcile("placed", { p: "1", everywhere: "3" })).drifts).toEqual([["p", "2", "1"]]);
  });

  test("the drift is on record with it", async () => {
    await reconcile("placed", { p: "7", everywhere: "3" }, "production");
    expect((await recordedDrifts("placed")).at(-1)).toMatchObject({
      environment: "production",
      live_json: "7",
    });
  });
});

test("a value that came as doubles is the same as its digits", async () => {
  await put("doubles", "p", "0.1");
  const value = { kind: { case: "numberValue", value: 0.1 } } as const;
  const answer = await store.reconcileConfig({ botSlug: "doubles", liveValues: [{ paramName: "p", value }] });
  expect(answer.drifts).toEqual([]);
});

test.each([
  ["the same name twice", ["a", "b", "a"], "live_values[2].param_name"],
  ["two spellings of one name", ["max_pos", "Max-Pos"], "live_values[1].param_name"],
  ["a name that is empty", ["a", ""], "live_values[1].param_name"],
  ["10,001 values", Array.from({ length: 10_001 }, (_, i) => `p${i}`), "live_values"],
])("%s is refused", async (_, names, field) => {
  const liveValues = names.map((paramName) => ({ paramName }));
  expect(await refusalOf(store.reconcileConfig({ botSlug: "b", liveValues }))).toMatchObject({
    reason: "INVALID_FIELD",
    field,
  });
});

test("10,000 drifts are all on record, and each has its place in the log", async () => {
  const live = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`p${i}`, `${i}`]));
  const { drifts, compared } = await reconcile("many", live);
  expect([drifts.length, compared]).toEqual([10_000, 10_000]);
  await (await auditorAs(service, "compliance")).getConfigAsOf({ botSlug: "many" });
  const [row] = await service.database.query(
    "superuser",
    `select (select count(*)::int from auditor.config_drift d join log.entry e using (epoch, xid, ord)
             where d.bot_key = 'many' and e.source = 'd') as placed,
            (select count(*) = max(position) from log.entry) as gap_free`,
  );
  expect(row).toEqual({ placed: 10_000, gap_free: true });
});

test("differences that a client could not take are refused before anything is recorded", async () => {
  const value = JSON.stringify("x".repeat(250_000));
  await Promise.all(Array.from({ length: 15 }, (_, i) => put("large", `p${i}`, value)));
  const refusal = await refusalOf(reconcile("large", {}));
  expect(refusal.reason).toBe("LIMIT_EXCEEDED");
  expect(await recordedDrifts("large")).toEqual([]);
});

test("who compares leaves a row in the access log, without values", async () => {
  const bot = await auditorAs(service, "bot", { subject: "bot-7" });
  await bot.reconcileConfig({
    botSlug: "Risk.Kill_Switch",
    environment: "production",
    liveValues: [{ paramName: "p", valueJson: '"secret"' }],
  });
  const rows = await service.database.query(
    "superuser",
    "select method, filters_json::json as filters, outcome from access.read_log where subject = 'bot-7'",
  );
  expect(rows).toEqual([
    {
      method: "ParameterChangeAuditorService/ReconcileConfig",
      filters: { bot_key: "risk.killswitch", environment: "production" },
      outcome: "ALLOWED",
    },
  ]);
});

test.each([
  ["no JSON", { valueJson: "yes" }, "value_json"],
  ["33 levels", { valueJson: `${"[".repeat(33)}${"]".repeat(33)}` }, "value_json"],
  ["a number that is none", { value: { kind: { case: "numberValue", value: Number.NaN } } }, "value"],
  [
    "two different values",
    { value: { kind: { case: "numberValue", value: 1 } }, valueJson: "2" },
    "value_json",
  ],
] as const)("a live value of %s is refused, and its place is named", async (_, value, field) => {
  const liveValues = [{ paramName: "good" }, { paramName: "bad", ...value }];
  expect(await refusalOf(store.reconcileConfig({ botSlug: "b", liveValues }))).toMatchObject({
    reason: "INVALID_FIELD",
    field: `live_values[1].${field}`,
  });
});
