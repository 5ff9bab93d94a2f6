import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ConfigBasis,
  WriteOutcome,
} from "../../../gen/ts/polytraders/governance/v1/parameter_change_auditor_pb.ts";
import { type AuditorClient, auditorAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { answered, configOf, type ModelWrite, nanosOf, timestampOf } from "./configModel.ts";
import { patiently, recordedWrite } from "./patiently.ts";
import { type WriteInit, write } from "./writes.ts";

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

const { ACCEPTED, CHANGED } = ConfigBasis;
const { APPLIED, ABORTED } = WriteOutcome;

/** The last seconds of a month and the first of the next one: writes lie in two partitions. */
const at = (second: number) => `2026-0${second < 5 ? "5-31T23:59:5" : "6-01T00:00:0"}${(second + 5) % 10}Z`;
const secondNs = (second: number) => BigInt(Date.parse(at(second))) * 1_000_000n;

const clock = stoppedClock(at(0));

type Auditor = {
  readonly service: TestService;
  readonly store: AuditorClient;
  readonly reader: AuditorClient;
};

async function auditorIn(mode: "enforce" | "shadow_only"): Promise<Auditor> {
  const config = `gov.parameterchangeauditor: { mode: ${mode} }\ntiers: { "*.cap": P0 }\n`;
  const service = running.use(await startTestService({ config, clock }));
  return {
    service,
    store: await auditorAs(service, "config-store"),
    reader: await auditorAs(service, "compliance"),
  };
}

const second = fc.integer({ min: 0, max: 9 });
const someWrite = {
  param: fc.constantFrom("cap", "C-A_P", "limit", "Limit", "mode"),
  value: fc.constantFrom(undefined, "null", "0", "1", "1.0", '{"a":[1,2]}', '""'),
  hasTicket: fc.boolean(),
  acceptedAt: second,
};
/** Times between seconds too, and some at the same nanosecond. */
const claim = fc.record({ second, nanos: fc.constantFrom(0n, 1n, 999_999_999n) });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("check"), ...someWrite, claim: fc.option(claim) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("ungated"), ...someWrite, claim }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("confirm"), of: fc.nat(40), isApplied: fc.boolean() }),
  },
);

/** Runs one step against the service, and writes it down in the model. */
async function take(
  one: typeof step extends fc.Arbitrary<infer T> ? T : never,
  bot: string,
  mode: string,
  { store }: Auditor,
  model: ModelWrite[],
): Promise<void> {
  if (!("param" in one)) {
    const confirmed = model[one.of % Math.max(1, model.length)];
    if (confirmed === undefined || !confirmed.allowed) return;
    const { decisionId } = confirmed;
    const outcome = one.isApplied ? APPLIED : ABORTED;
    const answer = await patiently(() => store.confirmWrite({ decisionId, outcome }));
    confirmed.outcome ??= one.isApplied ? "APPLIED" : "ABORTED";
    expect(answer.outcome).toBe(confirmed.outcome === "APPLIED" ? APPLIED : ABORTED);
    return;
  }
  clock.set(at(one.acceptedAt));
  const changedNs = one.claim ? secondNs(one.claim.second) + one.claim.nanos : undefined;
  const fields = {
    botSlug: bot,
    writeId: `${bot} ${model.length}`,
    paramName: one.param,
    editorId: "ed",
    ...(one.value === undefined ? {} : { newValueJson: one.value }),
    ...(one.hasTicket ? { ticketRef: "PTRD-1" } : {}),
    ...(changedNs === undefined ? {} : { changedAt: timestampOf(changedNs) }),
  };
  const ungated = one.kind === "ungated";
  const answer = ungated
    ? await patiently(() => store.recordUngatedWrite({ ...fields, cause: "UNAVAILABLE" }))
    : await recordedWrite(store, fields);
  const isP0 = /^c.?a.?p$/i.test(one.param);
  const allowed = ungated || mode === "shadow_only" || !isP0 || one.hasTicket;
  if ("allowed" in answer) expect(answer.allowed).toBe(allowed);
  model.push({
    bot,
    param: one.param,
    value: one.value,
    allowed,
    ungated,
    acceptedNs: secondNs(one.acceptedAt),
    changedNs,
    decisionId: answer.decisionId,
    outcome: undefined,
  });
}

describe.each(["enforce", "shadow_only"] as const)("in %s", (mode) => {
  let auditor: Auditor;
  let runs = 0;
  beforeAll(async () => {
    auditor = await auditorIn(mode);
  });

  test("after any writes, confirmations and aborts every configuration at every time is the model's", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 24 }), second, async (steps, now) => {
        const bot = `strategy.${mode}_${++runs}`;
        const model: ModelWrite[] = [];
        for (const one of steps) await take(one, bot, mode, auditor, model);
        clock.set(at(now));
        const ask = async (basis: "ACCEPTED" | "CHANGED", throughNs: bigint | undefined) => {
          const question = {
            botSlug: bot.toUpperCase().replace("_", "-"),
            basis: basis === "ACCEPTED" ? ACCEPTED : CHANGED,
            ...(throughNs === undefined ? {} : { time: timestampOf(throughNs) }),
          };
          return answered((await patiently(() => auditor.reader.getConfigAsOf(question))).values);
        };
        const times = Array.from({ length: 10 }, (_, i) =>
          [-1n, 0n, 1n].map((by) => secondNs(i) + by),
        ).flat();
        await Promise.all(
          times.flatMap((throughNs) =>
            (["ACCEPTED", "CHANGED"] as const).map(async (basis) =>
              expect(await ask(basis, throughNs)).toEqual(configOf(model, { bot, basis, throughNs })),
            ),
          ),
        );
        // Now: what is on record was accepted by now, whatever this replica's clock says; claims may lie ahead.
        const nowNs = secondNs(now);
        expect(await ask("ACCEPTED", undefined)).toEqual(
          configOf(model, { bot, basis: "ACCEPTED", throughNs: secondNs(9) }),
        );
        const changed = model.filter(({ changedNs }) => changedNs === undefined || changedNs <= nowNs);
        expect(await ask("CHANGED", undefined)).toEqual(
          configOf(changed, { bot, basis: "CHANGED", throughNs: secondNs(9) + 999_999_999n }),
        );
      }),
      { numRuns: 25 },
    );
  }, 180_000);
});

describe("one by one", () => {
  let auditor: Auditor;
  beforeAll(async () => {
    clock.set(at(0));
    auditor = await auditorIn("shadow_only");
  });

  let puts = 0;
  const put = async (paramName: string, newValueJson: string | undefined, more: Partial<WriteInit> = {}) => {
    const value = newValueJson === undefined ? {} : { newValueJson };
    const own = { ...write(paramName, { ...value, ...more }), writeId: `put ${++puts}` };
    return (await recordedWrite(auditor.store, own)).decisionId;
  };
  const config = async (botSlug: string) =>
    (await auditor.reader.getConfigAsOf({ botSlug })).values.map(({ paramName, valueJson }) => [
      paramName,
      valueJson,
    ]);

  test("a bot that nobody wrote to has no configuration", async () => {
    expect(await config("nobody")).toEqual([]);
  });

  test("digits stay, null is a value, a removed parameter is not listed, a name is the last one sent", async () => {
    const botSlug = "b.values";
    await put("max_pos", "9007199254740993.10", { botSlug });
    await put("MaxPos", "0.100000000000000000000000001", { botSlug });
    await put("nothing", "null", { botSlug });
    await put("gone", "1", { botSlug });
    await put("gone", undefined, { botSlug });
    expect(await config("B-Values")).toEqual([]);
    expect(await config("B._Values")).toEqual([
      ["MaxPos", "0.100000000000000000000000001"],
      ["nothing", "null"],
    ]);
  });

  test("an abort that becomes known later changes what was in force before, and a confirmation who knew", async () => {
    const botSlug = "b.later";
    const first = await put("p", "1", { botSlug });
    clock.set(at(3));
    const second = await put("p", "2", { botSlug });
    clock.set(at(9));
    const at4 = async () =>
      (await auditor.reader.getConfigAsOf({ botSlug, time: timestampOf(secondNs(4)) })).values;
    expect(await at4()).toMatchObject([{ valueJson: "2", decisionId: second, unconfirmed: true }]);
    await auditor.store.confirmWrite({ decisionId: second, outcome: ABORTED });
    expect(await at4()).toMatchObject([{ valueJson: "1", decisionId: first, unconfirmed: true }]);
    await auditor.store.confirmWrite({ decisionId: first, outcome: APPLIED });
    expect(await at4()).toMatchObject([{ valueJson: "1", unconfirmed: false }]);
  });

  test("a write of a month that no confirmation has come to yet can be confirmed in a later one", async () => {
    clock.set("2028-02-29T12:00:00Z");
    const decisionId = await put("p", "1", { botSlug: "b.month" });
    clock.set("2028-03-01T12:00:00Z");
    await patiently(() => auditor.store.confirmWrite({ decisionId, outcome: ABORTED }));
    expect(await config("b.month")).toEqual([]);
    clock.set(at(9));
  });

  test("a dry run is never in force", async () => {
    await auditor.store.checkWrite(write("p", { botSlug: "b.dry", newValueJson: "1", dryRun: true }));
    expect(await config("b.dry")).toEqual([]);
  });

  test("a configuration that a client could not take is refused, not cut", async () => {
    const botSlug = "b.large";
    const value = JSON.stringify("x".repeat(250_000));
    await Promise.all(Array.from({ length: 13 }, (_, i) => put(`p${i}`, value, { botSlug })));
    expect(await config(botSlug)).toHaveLength(13);
    await put("p13", value, { botSlug });
    const refusal = await refusalOf(auditor.reader.getConfigAsOf({ botSlug }));
    expect(refusal).toMatchObject({ code: "ResourceExhausted", reason: "LIMIT_EXCEEDED" });
  });

  test("each read leaves one row in the access log, with what was asked for", async () => {
    const time = timestampOf(secondNs(4) + 7n);
    const carol = await auditorAs(auditor.service, "operator", { subject: "carol" });
    await carol.getConfigAsOf({ botSlug: "Risk.Kill_Switch", time, basis: CHANGED });
    await refusalOf(
      (await auditorAs(auditor.service, "bot", { subject: "carol" })).getConfigAsOf({ botSlug: "b" }),
    );
    const rows = await auditor.service.database.query(
      "superuser",
      "select filters_json::json as filters, outcome from access.read_log where subject = 'carol' order by ctid",
    );
    const asked = { bot_key: "risk.killswitch", time_ns: `${nanosOf(time)}`, basis: "CHANGED" };
    expect(rows).toEqual([
      { filters: asked, outcome: "ALLOWED" },
      { filters: { bot_slug: "b" }, outcome: "ROLE_NOT_ALLOWED" },
    ]);
  });
});
