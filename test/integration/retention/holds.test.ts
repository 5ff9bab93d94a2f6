import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordKind } from "../../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { heldWallet } from "../../../src/retention/holds.ts";
import { refusalOf } from "../../support/refusal.ts";
import { otherWallet, wallet, walletLowerCase } from "../ledger/actions.ts";
import { makeOlder, monthsOf, outOfReach, type Past, startPast } from "./past.ts";

const activity = RecordKind.USER_ACTIVITY;
const changes = RecordKind.PARAMETER_CHANGES;

async function purge(past: Past) {
  past.comeBack();
  return (await past.operating.runPurge({})).run?.steps ?? [];
}

async function stepOf(past: Past, table: string, month: string) {
  const step = (await purge(past)).find((one) => one.table === table && one.month === month);
  return step && { action: step.action, records: Number(step.records), held: Number(step.heldRecords) };
}

const time = (iso: string) => ({ seconds: BigInt(Date.parse(iso) / 1000), nanos: 0 });

test("a hold says what, why, who and when; the same again is placed once, and releasing it is kept beside it", async () => {
  await using past = await startPast({ at: "2026-05-09T10:00:00.000001Z" });
  const asked = { holdId: "matter 7", scope: { kind: activity, wallet, sessionId: "s" }, reason: "matter 7" };
  const { hold } = await past.retention.placeLegalHold(asked);
  expect(hold).toMatchObject({
    holdId: "matter 7",
    scope: { kind: activity, wallet: walletLowerCase, sessionId: "s" },
    reason: "matter 7",
    placedBy: "carol",
    placedAt: { seconds: 1778320800n, nanos: 1000 },
    releasedBy: "",
    releaseReason: "",
  });
  expect(hold?.releasedAt).toBeUndefined();
  past.clock.set("2026-05-10T10:00:00Z");
  expect((await past.retention.placeLegalHold(asked)).hold).toEqual(hold);
  const { hold: released } = await past.retention.releaseLegalHold({ holdId: "matter 7", reason: "closed" });
  expect(released).toMatchObject({
    releasedBy: "carol",
    releaseReason: "closed",
    releasedAt: { seconds: 1778407200n },
  });
  past.clock.set("2026-05-11T10:00:00Z");
  expect((await past.retention.releaseLegalHold({ holdId: "matter 7", reason: "again" })).hold).toEqual(
    released,
  );
  expect((await past.retention.placeLegalHold(asked)).hold).toEqual(released);
});

test("a hold_id that is another hold's is refused, and a hold that is not there cannot be released", async () => {
  await using past = await startPast();
  const asked = { holdId: "h", scope: { kind: activity, sessionId: "s" }, reason: "r" };
  await past.retention.placeLegalHold(asked);
  for (const other of [
    { ...asked, reason: "another" },
    { ...asked, scope: { kind: activity, sessionId: "t" } },
    { ...asked, scope: { kind: activity, sessionId: "s", toTime: time("2020-01-01T00:00:00Z") } },
    { ...asked, scope: { kind: changes, botSlug: "s" } },
  ]) {
    expect(await refusalOf(past.retention.placeLegalHold(other))).toMatchObject({
      code: "AlreadyExists",
      reason: "HOLD_ID_CONFLICT",
    });
  }
  expect((await past.retention.listLegalHolds({})).holds).toHaveLength(1);
  expect(await refusalOf(past.retention.releaseLegalHold({ holdId: "none", reason: "r" }))).toMatchObject({
    code: "NotFound",
    reason: "NOT_FOUND",
  });
});

test("holds are listed newest first, page by page, all or those in force", async () => {
  await using past = await startPast();
  for (const holdId of ["a", "b", "c", "d"]) {
    await past.retention.placeLegalHold({ holdId, scope: { kind: changes, botSlug: holdId }, reason: "r" });
  }
  await past.retention.releaseLegalHold({ holdId: "c", reason: "r" });
  const pages = async (inForce: boolean) => {
    const first = await past.operating.listLegalHolds({ pageSize: 2, inForce });
    const pageToken = first.nextPageToken;
    const rest =
      pageToken === ""
        ? []
        : (await past.operating.listLegalHolds({ pageSize: 2, inForce, pageToken })).holds;
    return [...first.holds, ...rest].map(({ holdId }) => holdId);
  };
  expect(await pages(false)).toEqual(["d", "c", "b", "a"]);
  expect(await pages(true)).toEqual(["d", "b", "a"]);
});

describe("a scope", () => {
  let past: Past;
  beforeAll(async () => {
    past = await startPast();
  });
  afterAll(() => past[Symbol.asyncDispose]());

  test.each([
    ["without a kind", { sessionId: "s" }, "scope"],
    ["of everything", { kind: activity }, "scope"],
    ["with a wallet that is none", { kind: activity, wallet: "0x12" }, "scope.wallet"],
    ["with a session too long", { kind: activity, sessionId: "s".repeat(129) }, "scope.session_id"],
    ["with a bot too long", { kind: changes, botSlug: "s".repeat(129) }, "scope.bot_slug"],
    ["with a parameter too long", { kind: changes, paramName: "s".repeat(513) }, "scope.param_name"],
    ["of user activity with a bot", { kind: activity, sessionId: "s", botSlug: "b" }, "scope.bot_slug"],
    [
      "of user activity with a parameter",
      { kind: activity, sessionId: "s", paramName: "b" },
      "scope.param_name",
    ],
    ["of parameter changes with a wallet", { kind: changes, botSlug: "s", wallet }, "scope.wallet"],
    [
      "of parameter changes with a session",
      { kind: changes, botSlug: "s", sessionId: "s" },
      "scope.session_id",
    ],
    ["with a time before 1970", { kind: activity, fromTime: { seconds: -1n, nanos: 0 } }, "scope.from_time"],
    ["with a time after 2261", { kind: activity, toTime: { seconds: 2n ** 40n, nanos: 0 } }, "scope.to_time"],
    [
      "that ends when it begins",
      { kind: activity, fromTime: time("2020-01-01T00:00:00Z"), toTime: time("2020-01-01T00:00:00Z") },
      "scope.to_time",
    ],
  ])("%s is refused by its field", async (_, scope, field) => {
    const asked = { holdId: "h", scope, reason: "r" };
    expect(await refusalOf(past.retention.placeLegalHold(asked))).toMatchObject({
      reason: "INVALID_FIELD",
      field,
    });
    expect((await past.retention.listLegalHolds({})).holds).toEqual([]);
  });
});

test("held records of an expired month stay readable at their place in the log, and the others go", async () => {
  await using past = await startPast();
  for (let i = 0; i < 6; i++) {
    await past.act("2016-01-10T12:00:00Z", `evt_${i}`, { wallet: i % 2 === 0 ? wallet : otherWallet });
  }
  const before = (await past.compliance.listUserActions({})).actions.filter(
    ({ report }) => report?.walletAddress === wallet,
  );
  await past.retention.placeLegalHold({ holdId: "h", scope: { kind: activity, wallet }, reason: "r" });
  expect(await stepOf(past, "ledger.user_action", "2016-01")).toEqual({
    action: "DETACHED",
    records: 3,
    held: 3,
  });
  expect((await past.compliance.listUserActions({})).actions).toEqual(before);
  expect(await stepOf(past, "ledger.user_action", "2016-01")).toEqual({
    action: "KEPT",
    records: 3,
    held: 3,
  });

  // The week over, the detached month is dropped; what was held is not.
  await makeOlder(past.database, "maintenance.detached_partition", "detached_at", "8 days");
  expect(await stepOf(past, "ledger.user_action", "2016-01")).toEqual({
    action: "DROPPED",
    records: 3,
    held: 0,
  });
  expect((await past.compliance.listUserActions({})).actions).toEqual(before);

  await past.retention.releaseLegalHold({ holdId: "h", reason: "closed" });
  expect(await stepOf(past, "ledger.user_action", "2016-01")).toEqual({
    action: "DETACHED",
    records: 3,
    held: 0,
  });
  expect(await past.eventIds()).toEqual([]);
});

test("a hold that is released within the week takes what it kept with the next run, beside what went before", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "held");
  await past.act("2016-01-10T12:00:00Z", "other", { wallet: otherWallet });
  await past.retention.placeLegalHold({ holdId: "h", scope: { kind: activity, wallet }, reason: "r" });
  await purge(past);
  await past.retention.releaseLegalHold({ holdId: "h", reason: "closed" });
  expect(await stepOf(past, "ledger.user_action", "2016-01")).toEqual({
    action: "DETACHED",
    records: 1,
    held: 0,
  });
  expect(await past.eventIds()).toEqual([]);
  const months = (await outOfReach(past.database)).filter((name) => name === "ledger_user_action_2016_01");
  expect(months).toHaveLength(2);
});

test("the partition that held records move into is guarded like any other", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "held");
  await past.act("2016-01-10T12:00:00Z", "other", { wallet: otherWallet });
  await past.retention.placeLegalHold({ holdId: "h", scope: { kind: activity, wallet }, reason: "r" });
  await purge(past);
  const rows = await past.database.query(
    "superuser",
    `select array_agg(t.tgname::text || t.tgenabled::text order by t.tgname) as triggers,
       has_table_privilege('governance_service', t.tgrelid, 'select, insert, update, delete, truncate') as any_right
     from pg_trigger t where t.tgrelid = 'ledger.user_action_2016_01'::regclass group by t.tgrelid`,
  );
  expect(rows).toEqual([{ triggers: ["append_onlyA", "no_truncateA"], any_right: false }]);
  const indexes = await past.database.query<{ attached: number; own: number }>(
    "superuser",
    `select count(*) filter (where exists (select from pg_inherits p where p.inhrelid = i.indexrelid))::int as attached,
       count(*)::int as own from pg_index i where i.indrelid = 'ledger.user_action_2016_01'::regclass`,
  );
  expect(indexes[0]?.attached).toBe(indexes[0]?.own);
});

test("every field of a scope that is set must match, and records outside any hold go", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T00:00:00Z", "all match", { sessionId: "s" });
  await past.act("2016-01-10T00:00:00Z", "other session", { sessionId: "t" });
  await past.act("2016-01-10T00:00:00Z", "other wallet", { sessionId: "s", wallet: otherWallet });
  await past.act("2016-01-09T23:59:59.999999Z", "too early", { sessionId: "s" });
  await past.act("2016-01-11T00:00:00Z", "too late", { sessionId: "s" });
  await past.act("2016-02-10T00:00:00Z", "by time alone", { sessionId: "u", wallet: otherWallet });
  const range = { fromTime: time("2016-01-10T00:00:00Z"), toTime: time("2016-01-11T00:00:00Z") };
  const scope = { kind: activity, wallet: walletLowerCase, sessionId: "s", ...range };
  await past.retention.placeLegalHold({ holdId: "all", scope, reason: "r" });
  const byTime = {
    kind: activity,
    fromTime: time("2016-02-10T00:00:00Z"),
    toTime: time("2016-02-11T00:00:00Z"),
  };
  await past.retention.placeLegalHold({ holdId: "time", scope: byTime, reason: "r" });
  await purge(past);
  expect(await past.eventIds()).toEqual(["all match", "by time alone"]);
});

test("a hold by what stands for a scrubbed wallet covers its records", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T00:00:00Z", "one");
  await past.act("2016-01-10T00:00:00Z", "another", { wallet: otherWallet });
  const identity = past.identities.of(wallet);
  await past.retention.placeLegalHold({
    holdId: "h",
    scope: { kind: activity, wallet: identity },
    reason: "r",
  });
  // As the scrub leaves it: the identity in the wallet's column.
  await scrubAs(past, walletLowerCase, identity);
  await purge(past);
  expect(await past.eventIds()).toEqual(["one"]);
});

async function scrubAs(past: Past, from: string, to: string): Promise<void> {
  const client = new pg.Client({ connectionString: past.database.url("admin") });
  await client.connect();
  await client.query("set role governance_owner");
  await client.query("set governance.maintenance = 'on'");
  await client.query("update ledger.user_action set wallet = $2 where lower(wallet) = $1", [from, to]);
  await client.end();
}

test("a hold of a session keeps its actions' fills and links too, and a fill may still be linked to a held action", async () => {
  await using past = await startPast();
  const fill = (fillId: string, traceId: string) =>
    past.bot.recordExecutionReport({ fillId, traceId, status: "MATCHED", size: "1", price: "0.5" });
  await past.act("2016-01-10T12:00:00Z", "held", { sessionId: "held", traceId: "t1" });
  await past.act("2016-01-10T12:00:00Z", "unlinked", { sessionId: "held", traceId: "t3" });
  await past.act("2016-01-10T12:00:00Z", "other", { sessionId: "other", traceId: "t2" });
  await fill("f1", "t1");
  await fill("f2", "t2");
  await past.eventIds();
  await past.retention.placeLegalHold({
    holdId: "h",
    scope: { kind: activity, sessionId: "held" },
    reason: "r",
  });
  const steps = await purge(past);
  for (const table of ["ledger.user_action", "ledger.fill_report", "ledger.fill_link"]) {
    const step = steps.find((one) => one.table === table && one.month === "2016-01");
    expect(step, table).toMatchObject({ action: "DETACHED", records: 1n });
  }
  await fill("f3", "t3");
  const { actions } = await past.compliance.listUserActions({});
  expect(actions.map(({ report }) => [report?.eventId, report?.fillIds])).toEqual([
    ["unlinked", ["f3"]],
    ["held", ["f1"]],
  ]);
  const { fills } = await past.compliance.listFills({});
  expect(fills.map(({ fillId }) => fillId).toSorted()).toEqual(["f1", "f3"]);
});

test("an expired action that is held without a fill can be linked to one that comes late", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "held", { sessionId: "held", traceId: "t" });
  await past.act("2016-01-10T12:00:00Z", "other", { sessionId: "other" });
  await past.retention.placeLegalHold({
    holdId: "h",
    scope: { kind: activity, sessionId: "held" },
    reason: "r",
  });
  await purge(past);
  expect(await monthsOf(past.database, "ledger.fill_link")).toContain("2016-01");
  expect(await monthsOf(past.database, "ledger.fill_report")).not.toContain("2016-01");
  await past.bot.recordExecutionReport({
    fillId: "late",
    traceId: "t",
    status: "MATCHED",
    size: "1",
    price: "0.5",
  });
  const { actions } = await past.compliance.listUserActions({});
  expect(actions.map(({ report }) => report?.fillIds)).toEqual([["late"]]);
  // The link was made today: it keeps its month when the hold is released, until seven years from now.
  await past.retention.releaseLegalHold({ holdId: "h", reason: "closed" });
  expect(await stepOf(past, "ledger.user_action", "2016-01")).toMatchObject({
    action: "DETACHED",
    records: 1,
  });
  expect(await monthsOf(past.database, "ledger.fill_link")).toContain("2016-01");
});

test("holds of parameter changes go by bot and parameter as names compare, and by time", async () => {
  await using past = await startPast();
  await past.change("2016-01-10T00:00:00Z", "limit", "risk.kill_switch");
  await past.change("2016-01-10T00:00:00Z", "Max-Size", "risk.kill_switch");
  await past.change("2016-01-10T00:00:00Z", "limit", "risk.other");
  await past.change("2016-02-10T00:00:00Z", "limit", "risk.third");
  const hold = (holdId: string, scope: object) =>
    past.retention.placeLegalHold({ holdId, scope: { kind: changes, ...scope }, reason: "r" });
  await hold("param", { botSlug: "risk.killswitch", paramName: "max_size" });
  await hold("time", { fromTime: time("2016-02-01T00:00:00Z") });
  // A hold of user activity covers none of them.
  await past.retention.placeLegalHold({
    holdId: "a",
    scope: { kind: activity, toTime: time("2030-01-01T00:00:00Z") },
    reason: "r",
  });
  await purge(past);
  const { changes: left } = await past.auditing.listParameterChanges({});
  expect(left.map(({ report }) => [report?.auditedBot, report?.paramName])).toEqual([
    ["risk.third", "limit"],
    ["risk.kill_switch", "Max-Size"],
  ]);
});

test("a hold keeps the refused events and the calls that read of its wallet", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "evt", { wallet: otherWallet });
  await refusalOf(past.bot.recordUserAction({ eventId: "evt", wallet, sessionId: "s", actionType: "HALT" }));
  await refusalOf(
    past.bot.recordUserAction({ eventId: "evt", wallet: otherWallet, sessionId: "x", actionType: "HALT" }),
  );
  await past.compliance.listUserActions({ wallet });
  await past.compliance.listUserActions({ wallet: otherWallet });
  await past.retention.placeLegalHold({ holdId: "h", scope: { kind: activity, wallet }, reason: "r" });
  await purge(past);
  const left = (text: string) => past.database.query("superuser", text);
  expect(await left("select wallet from ledger.conflict")).toEqual([{ wallet }]);
  expect(await left("select filters_json::json ->> 'wallet' as wallet from access.read_log")).toEqual([
    { wallet: walletLowerCase },
  ]);
});

test("a hold that is placed in the week before the drop brings back what it covers, to its place", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "mine", { traceId: "t" });
  await past.act("2016-01-10T12:00:00Z", "theirs", { wallet: otherWallet });
  await past.bot.recordExecutionReport({
    fillId: "f",
    traceId: "t",
    status: "MATCHED",
    size: "1",
    price: "0.5",
  });
  const before = (await past.compliance.listUserActions({ wallet })).actions;
  await purge(past);
  expect(await past.eventIds()).toEqual([]);
  await makeOlder(past.database, "maintenance.detached_partition", "detached_at", "6 days");
  await past.retention.placeLegalHold({ holdId: "h", scope: { kind: activity, wallet }, reason: "r" });
  const steps = (await purge(past)).filter(({ heldRecords }) => heldRecords > 0n);
  expect(steps[0]).toMatchObject({ table: "ledger.fill_link", action: "KEPT", heldRecords: 1n });
  const after = (await past.compliance.listUserActions({})).actions;
  expect(after).toEqual(before);
  expect(after[0]?.report?.fillIds).toEqual(["f"]);
  await makeOlder(past.database, "maintenance.detached_partition", "detached_at", "2 days");
  const dropped = await purge(past);
  expect(
    dropped.find((step) => step.table === "ledger.user_action" && step.action === "DROPPED"),
  ).toMatchObject({
    records: 1n,
  });
  expect((await past.compliance.listUserActions({})).actions).toEqual(before);
});

test("whether a wallet is held follows from the holds in force and from its records", async () => {
  await using past = await startPast();
  await past.act("2016-01-10T12:00:00Z", "one", { sessionId: "s" });
  await past.act("2016-01-10T12:00:00Z", "two", { sessionId: "t", wallet: otherWallet });
  await using clients = new AsyncDisposableStack();
  const client = clients.adopt(new pg.Client({ connectionString: past.database.url("service") }), (it) =>
    it.end(),
  );
  await client.connect();
  const held = (of: string) => heldWallet(client, of, past.identities.of(of));
  const isHeld = async () => [await held(wallet), await held(otherWallet)];
  const hold = (holdId: string, scope: object) =>
    past.retention.placeLegalHold({ holdId, scope: { kind: activity, ...scope }, reason: "r" });
  expect(await isHeld()).toEqual([false, false]);
  await hold("session", { sessionId: "s" });
  expect(await isHeld()).toEqual([true, false]);
  await past.retention.releaseLegalHold({ holdId: "session", reason: "r" });
  expect(await isHeld()).toEqual([false, false]);
  await hold("elsewhere", { wallet, sessionId: "t" });
  await past.retention.placeLegalHold({ holdId: "c", scope: { kind: changes, botSlug: "b" }, reason: "r" });
  expect(await isHeld()).toEqual([false, false]);
  await hold("time", { fromTime: time("2016-01-01T00:00:00Z") });
  expect(await isHeld()).toEqual([true, true]);
  await past.retention.releaseLegalHold({ holdId: "time", reason: "r" });
  await hold("identity", { wallet: past.identities.of(otherWallet) });
  expect(await isHeld()).toEqual([false, true]);
});
