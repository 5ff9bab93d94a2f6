import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ReportService } from "../../../gen/ts/polytraders/governance/v1/report_service_pb.ts";
import { type AuditorClient, auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { collect } from "../../support/exportReader.ts";
import { asRefusal, refusalOf } from "../../support/refusal.ts";
import { protocols, startTestService, type TestService } from "../../support/service.ts";
import { envelope, pathOf } from "../edge/raw.ts";
import { action } from "../ledger/actions.ts";
import { until } from "../scrub/scrubbing.ts";
import { eventIdsOf, lineOf, type ReportClient, readReports, reportsAs } from "./reading.ts";

let service: TestService;
let bot: LedgerClient;
let store: AuditorClient;
let compliance: ReportClient;
beforeAll(async () => {
  service = await startTestService();
  bot = await ledgerAs(service, "bot");
  store = await auditorAs(service, "config-store");
  compliance = await reportsAs(service, "compliance");
  for (let i = 1; i <= 5; i++) await bot.recordUserAction(action(`first_${i}`));
  await store.checkWrite({ botSlug: "risk.x", paramName: "p", newValueJson: "1", editorId: "alice" });
});
afterAll(() => service[Symbol.asyncDispose]());

test.each(protocols)("over %s: everything from the beginning, then what comes", async (protocol) => {
  await using reader = readReports(await reportsAs(service, "compliance", { protocol }), {});
  const past = await reader.until((messages) => messages.length >= 6);
  expect(eventIdsOf(past).slice(0, 5)).toEqual(["first_1", "first_2", "first_3", "first_4", "first_5"]);
  await bot.recordUserAction(action(`live ${protocol}`));
  await reader.until((messages) => eventIdsOf(messages).includes(`live ${protocol}`));
  const positions = reader.messages.map(({ at }) => Number(at?.position));
  expect(positions, "no gap, no repeat").toEqual(positions.map((_, i) => i + 1));
  for (const { at, report } of reader.messages) {
    if (report.case !== "settlement" && report.case !== "operations") throw new Error("no report");
    expect([report.value.epoch, report.value.position]).toEqual([at?.epoch, at?.position]);
  }
});

test("from any position on, the rest comes, and nothing twice", async () => {
  await using whole = readReports(compliance, {});
  const all = await whole.until((messages) => messages.length >= 6);
  for (const [i, { at }] of all.slice(0, 6).entries()) {
    await using reader = readReports(compliance, at === undefined ? {} : { after: at });
    const rest = await reader.until((messages) => messages.length >= all.length - i - 1);
    expect(rest.map(lineOf).slice(0, all.length - i - 1)).toEqual(all.slice(i + 1).map(lineOf));
  }
});

test("from now on: what is committed after the call, and a place to go on from before anything came", async () => {
  await bot.recordUserAction(action("before now"));
  await using reader = readReports(compliance, { fromNow: true, progressSeconds: 1 });
  const [first] = await reader.until((messages) => messages.length > 0);
  expect(first?.report.case, "how far the stream has come").toBeUndefined();
  await bot.recordUserAction(action("after now"));
  await reader.until((messages) => eventIdsOf(messages).length > 0);
  expect(eventIdsOf(reader.messages)).toEqual(["after now"]);
  const started = reader.messages.length;
  const later = await reader.until((messages) => messages.length >= started + 2);
  expect(later.at(-1)?.report.case, "and again while nothing comes").toBeUndefined();
  if (first?.at === undefined) throw new Error("no place");
  await using again = readReports(compliance, { after: first.at });
  expect(eventIdsOf(await again.until((messages) => messages.length > 0))).toEqual(["after now"]);
});

describe("what cannot be read is refused", () => {
  test.each([
    ["an old epoch", { after: { epoch: 7n, position: 1n } }, "Aborted", "LOG_EPOCH_CHANGED", undefined],
    [
      "the future",
      { after: { epoch: 1n, position: 9_999n } },
      "InvalidArgument",
      "INVALID_FIELD",
      "after.position",
    ],
    [
      "a negative position",
      { after: { epoch: 1n, position: -1n } },
      "InvalidArgument",
      "INVALID_FIELD",
      "after.position",
    ],
    ["no epoch", { after: { position: 1n } }, "InvalidArgument", "INVALID_FIELD", "after.epoch"],
    ["another topic", { topic: "polytraders.reports" }, "InvalidArgument", "INVALID_FIELD", "topic"],
    ["a wallet that is none", { wallet: "0x1" }, "InvalidArgument", "INVALID_FIELD", "wallet"],
    [
      "both beginnings",
      { after: { epoch: 1n }, fromNow: true },
      "InvalidArgument",
      "INVALID_FIELD",
      "from_now",
    ],
    [
      "progress by the day",
      { progressSeconds: 86_400 },
      "InvalidArgument",
      "INVALID_FIELD",
      "progress_seconds",
    ],
    ["an empty type", { eventTypes: [""] }, "InvalidArgument", "INVALID_FIELD", "event_types[0]"],
  ] as const)("%s", async (_, request, code, reason, field) => {
    const refusal = await refusalOf(
      collect(
        compliance.streamReports({
          ...request,
          eventTypes: [...("eventTypes" in request ? request.eventTypes : [])],
        }),
      ),
    );
    expect(refusal).toMatchObject({ code, reason, field });
  });
});

describe("filters", () => {
  const wallet = "0xABCDEF0000000000000000000000000000000001";
  beforeAll(async () => {
    await bot.recordUserAction(action("of a wallet", { wallet }));
    await bot.recordUserAction(action("stop", { wallet, actionType: "KILL_SWITCH" }));
    await store.checkWrite({ botSlug: "risk.other-bot", paramName: "q", newValueJson: "2", editorId: "bob" });
  });

  test.each([
    ["a topic", { topic: "polytraders.reports.operations" }, ["PARAM_CHANGED", "PARAM_CHANGED"]],
    ["event types", { eventTypes: ["KILL_SWITCH_ACTIVE"] }, ["KILL_SWITCH_ACTIVE"]],
    ["an audited bot, however it is written", { bot: "Risk.Other_Bot" }, ["PARAM_CHANGED"]],
    ["the auditor", { bot: "gov.parameterchangeauditor" }, ["PARAM_CHANGED", "PARAM_CHANGED"]],
    [
      "a wallet, in any case",
      { wallet: wallet.toLowerCase() },
      ["USER_ACTION_RECORDED", "USER_ACTION_RECORDED", "KILL_SWITCH_ACTIVE"],
    ],
  ])("%s", async (_, filter, expected) => {
    await using reader = readReports(compliance, { ...filter, progressSeconds: 1 });
    // What stands behind the last record has been passed when a progress message says so.
    await bot.recordUserAction(action(`end of ${_}`));
    const [{ head = "0" } = {}] = await service.database.query<{ head: string }>(
      "superuser",
      "select max(position)::text as head from log.entry",
    );
    await reader.until((messages) =>
      messages.some(({ at, report }) => report.case === undefined && Number(at?.position) >= Number(head)),
    );
    const told = reader.messages.flatMap(({ report }) =>
      report.case === undefined || report.case === "omitted" ? [] : [report.value.eventType],
    );
    expect(told).toEqual(expected);
  });
});

test("two reports on one record: whoever stops between them goes on between them", async () => {
  await bot.recordUserAction(action("stop twice", { actionType: "KILL_SWITCH" }));
  await bot.recordUserAction(action("behind the stop"));
  await using reader = readReports(compliance, { eventTypes: ["KILL_SWITCH_ACTIVE"] });
  const [active] = await reader.until((messages) => messages.length > 0);
  if (active?.at === undefined) throw new Error("no place");
  expect(active.at.part).toBe(1);
  await using between = readReports(compliance, { after: { ...active.at, part: 0 } });
  const [next] = await between.until((messages) => messages.length > 0);
  expect(next === undefined ? "" : lineOf(next)).toBe(`${active.at.position}.1 KILL_SWITCH_ACTIVE`);
  await using behind = readReports(compliance, { after: active.at });
  const [later] = await behind.until((messages) => messages.length > 0);
  expect(later?.at?.position).toBe(active.at.position + 1n);
});

test("a stream ends with its token", async () => {
  const shortLived = await reportsAs(service, "compliance", { ttlSeconds: 5 });
  await using reader = readReports(shortLived, { progressSeconds: 1 });
  expect(asRefusal(await reader.ended)).toMatchObject({ code: "Unauthenticated", reason: "TOKEN_EXPIRED" });
  expect(reader.messages.length).toBeGreaterThan(0);
});

test("each call leaves one row in the access log, refused ones too", async () => {
  const rowsOf = (subject: string) =>
    service.database.query<{ filters_json: string; outcome: string }>(
      "superuser",
      `select filters_json, outcome from access.read_log where subject = $1 and method = 'ReportService/StreamReports'`,
      [subject],
    );
  const before = await rowsOf("operator reader");
  await using reader = readReports(await reportsAs(service, "operator"), {
    after: { epoch: 1n, position: 2n },
    bot: "risk.x",
  });
  await reader.until((messages) => messages.length > 0);
  const after = await rowsOf("operator reader");
  expect(after).toHaveLength(before.length + 1);
  expect(JSON.parse(after.at(-1)?.filters_json ?? "")).toEqual({
    bot: "risk.x",
    after: { epoch: 1, position: 2, part: 0 },
  });
  expect(await refusalOf(collect((await reportsAs(service, "user")).streamReports({})))).toMatchObject({
    code: "PermissionDenied",
  });
  expect(await rowsOf("user reader")).toMatchObject([{ outcome: "ROLE_NOT_ALLOWED" }]);
});

test("over HTTP the answer begins at once where progress was asked for, also when there is nothing to tell", async () => {
  const token = await service.token({ roles: ["compliance"] });
  const leaving = new AbortController();
  const response = await fetch(
    `http://127.0.0.1:${service.httpPort}${pathOf(ReportService.method.streamReports)}`,
    {
      method: "POST",
      headers: { "content-type": "application/connect+json", authorization: `Bearer ${token}` },
      body: new Uint8Array(envelope('{"from_now":true,"progress_seconds":60}')),
      signal: leaving.signal,
    },
  );
  expect(response.status).toBe(200);
  leaving.abort();
});

test("with publish_to_audit_log false changes are recorded and not published, and the stream says so", async () => {
  await using quiet = await startTestService({
    config: "gov.parameterchangeauditor: { publish_to_audit_log: false }",
  });
  const ledger = await ledgerAs(quiet, "bot");
  const auditor = await auditorAs(quiet, "config-store");
  await ledger.recordUserAction(action("one"));
  for (const paramName of ["a", "b"])
    await auditor.checkWrite({ botSlug: "b", paramName, editorId: "alice" });
  await ledger.recordUserAction(action("two"));
  // Read at once: what is not published is told together.
  await until(quiet.database, "(select count(*) from log.entry) = 4");
  await using all = readReports(await reportsAs(quiet, "compliance"), {});
  expect((await all.until((messages) => eventIdsOf(messages).length === 2)).map(lineOf)).toEqual([
    "1 USER_ACTION_RECORDED",
    "2-3 NOT_PUBLISHED",
    "4 USER_ACTION_RECORDED",
  ]);
  await using settlement = readReports(await reportsAs(quiet, "compliance"), {
    topic: "polytraders.reports.settlement",
  });
  const told = await settlement.until((messages) => messages.length === 2);
  expect(told.map(lineOf)).toEqual(["1 USER_ACTION_RECORDED", "4 USER_ACTION_RECORDED"]);
});
