import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { type ActionInit, action, otherWallet, wallet, walletLowerCase } from "./actions.ts";

const clock = stoppedClock("2026-05-09T10:00:00Z");
let service: TestService;
let bot: LedgerClient;
beforeAll(async () => {
  service = await startTestService({ clock });
  bot = await ledgerAs(service, "bot");
});
afterAll(() => service[Symbol.asyncDispose]());

async function countOf(table: string, eventId: string): Promise<number> {
  const [row] = await service.database.query<{ n: number }>(
    "superuser",
    `select count(*)::int as n from ${table} where event_id = $1`,
    [eventId],
  );
  return row?.n ?? -1;
}

const first = action("evt_same", { paramsJson: '{"b":1.0,"a":[100,"x"]}', traceId: "trc" });

test.each<[string, Partial<ActionInit>]>([
  ["word for word", {}],
  ["with its wallet in lower case", { wallet: walletLowerCase }],
  ["with its parameters in another order", { paramsJson: '{"a":[100,"x"],"b":1.0}' }],
  ["with its numbers spelt differently", { paramsJson: '{"b":1,"a":[1.00e2,"x"]}' }],
  [
    "with spaces and escapes in its parameters",
    { paramsJson: '{ "\\u0062" : 1.0, "a" : [ 100, "\\u0078" ] }' },
  ],
])("an event sent again %s is a duplicate, answered with the first report", async (_, difference) => {
  clock.set("2026-05-09T10:00:00Z");
  const original = await bot.recordUserAction(first);
  clock.set("2026-05-09T11:00:00Z");
  const again = await bot.recordUserAction({ ...first, ...difference });
  expect(again.outcome).toBe(RecordOutcome.DUPLICATE);
  expect(again.report).toMatchObject({
    reportId: original.report?.reportId,
    recordedAt: original.report?.recordedAt,
    walletAddress: wallet,
    actionParamsJson: '{"b":1.0,"a":[100,"x"]}',
  });
  expect(await countOf("ledger.user_action", "evt_same")).toBe(1);
  expect(await countOf("ledger.conflict", "evt_same")).toBe(0);
});

test("an event sent again as doubles is the same as its exact text", async () => {
  await bot.recordUserAction(action("evt_doubles", { paramsJson: '{"size":2.50,"n":9007199254740991}' }));
  const again = await bot.recordUserAction(
    action("evt_doubles", { params: { n: 9007199254740991, size: 2.5 } }),
  );
  expect(again.outcome).toBe(RecordOutcome.DUPLICATE);
});

test("a duplicate is told from its id alone, whoever sends it", async () => {
  const original = await bot.recordUserAction(action("evt_two_bots"));
  const other = await ledgerAs(service, "account", { subject: "another-bot" });
  const again = await other.recordUserAction(action("evt_two_bots"));
  expect(again.outcome).toBe(RecordOutcome.DUPLICATE);
  expect(again.report).toMatchObject({ reportId: original.report?.reportId, recordedBy: "tester" });
});

const conflicting: [string, Partial<ActionInit>][] = [
  ["another wallet", { wallet: otherWallet }],
  ["another session", { sessionId: "sess_2" }],
  ["another action type", { actionType: "HALT" }],
  ["another trace", { traceId: "trc_2" }],
  ["no trace", { traceId: "" }],
  ["other parameters", { paramsJson: '{"size":2}' }],
  ["a number that differs in its 30th digit", { paramsJson: '{"size":1.00000000000000000000000000001}' }],
  ["a string where a number was", { paramsJson: '{"size":"1"}' }],
  ["null parameters", { paramsJson: "null" }],
  ["a claimed time", { occurredAt: { seconds: 1n, nanos: 1 } }],
  ["a session number", { sessionSeq: 1n }],
];

test.each(conflicting)(
  "an event id sent again with %s is refused and overwrites nothing",
  async (what, difference) => {
    const eventId = `evt_conflict_${what}`;
    const original = action(eventId, { paramsJson: '{"size":1}', traceId: "trc_1" });
    await bot.recordUserAction(original);

    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await refusalOf(bot.recordUserAction({ ...original, ...difference }))).toMatchObject({
        code: "AlreadyExists",
        reason: "EVENT_ID_CONFLICT",
        message: expect.stringMatching(/^EVENT_ID_CONFLICT: /),
      });
    }
    expect(await countOf("ledger.user_action", eventId)).toBe(1);
    expect(await countOf("ledger.conflict", eventId), "kept once, however often it came").toBe(1);
    expect((await bot.recordUserAction(original)).report?.actionParamsJson).toBe('{"size":1}');
  },
);

test("parameters that are absent, null or empty are three different contents", async () => {
  await bot.recordUserAction(action("evt_absent"));
  for (const paramsJson of ["null", "{}"]) {
    const refusal = await refusalOf(bot.recordUserAction(action("evt_absent", { paramsJson })));
    expect(refusal.reason).toBe("EVENT_ID_CONFLICT");
  }
  expect(await countOf("ledger.conflict", "evt_absent")).toBe(2);
});

test("what was refused is kept whole: everything that was sent, and which record it lost to", async () => {
  const original = await bot.recordUserAction(action("evt_kept"));
  const loser = action("evt_kept", {
    wallet: otherWallet,
    sessionId: "sess_9",
    actionType: "KILL_SWITCH",
    traceId: "trc_9",
    paramsJson: '{"why":"18446744073709551616","n":18446744073709551616}',
    occurredAt: { seconds: 1_700_000_000n, nanos: 123_456_789 },
    sessionSeq: 7n,
  });
  await refusalOf(bot.recordUserAction(loser));
  const rows = await service.database.query(
    "superuser",
    "select * from ledger.conflict where event_id = 'evt_kept'",
  );
  expect(rows).toMatchObject([
    {
      wallet: otherWallet,
      session_id: "sess_9",
      action_type: "KILL_SWITCH",
      trace_id: "trc_9",
      params_json: '{"why":"18446744073709551616","n":18446744073709551616}',
      occurred_at_ns: "1700000000123456789",
      session_seq: "7",
      recorded_by: "tester",
      first_record_id: original.report?.reportId.replace("stl_useractivityledger_", ""),
    },
  ]);
});

test("an event is told from a repeated one for ever, also after its record was purged", async () => {
  clock.set("2026-05-09T10:00:00Z");
  const sent = action("evt_purged", { params: { n: 1 } });
  const original = await bot.recordUserAction(sent);
  await service.database.query(
    "superuser",
    `set role governance_owner; set governance.maintenance = 'on';
     delete from ledger.user_action where event_id = 'evt_purged'`,
  );
  clock.set("2034-01-01T00:00:00Z");
  const again = await bot.recordUserAction(sent);
  expect(again.outcome).toBe(RecordOutcome.DUPLICATE);
  expect(again.report).toMatchObject({
    reportId: original.report?.reportId,
    recordedAt: original.report?.recordedAt,
    retainedUntil: "2033-05-09",
    actionParamsJson: '{"n":1}',
  });
  const changed = await refusalOf(bot.recordUserAction({ ...sent, params: { n: 2 } }));
  expect(changed.reason).toBe("EVENT_ID_CONFLICT");
  expect(await countOf("ledger.user_action", "evt_purged")).toBe(0);
});
