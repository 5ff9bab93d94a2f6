import type { Client } from "@connectrpc/connect";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AccessLogEntry } from "../../../gen/ts/polytraders/governance/v1/access_log_pb.ts";
import { AccessLogService } from "../../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { UserActivityLedgerService } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_service_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { microsOf, stoppedClock } from "../../support/clock.ts";
import {
  collect,
  expectChainOver,
  expectTrailerToProve,
  type ReceivedExport,
  readExport,
} from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { otherWallet, wallet, walletLowerCase } from "../ledger/actions.ts";

const list = "UserActivityLedgerService/ListUserActions";
const listing = "AccessLogService/ListAccessLog";
const exporting = "AccessLogService/ExportAccessLog";

const clock = stoppedClock("2026-05-09T10:00:00.000001Z");
/** Long enough for a service whose clock is set to another time. */
const ttlSeconds = 50 * 366 * 86_400;

let service: TestService;
let auditor: Client<typeof AccessLogService>;
beforeAll(async () => {
  service = await startTestService({ clock });
  auditor = await accessLogAs("carol");
});
afterAll(() => service[Symbol.asyncDispose]());

async function accessLogAs(subject: string) {
  const token = await service.token({ roles: ["compliance"], subject, ttlSeconds });
  return service.client(AccessLogService, token);
}

type Filters = Parameters<typeof auditor.listAccessLog>[0];

async function listAll(filters: Filters): Promise<AccessLogEntry[]> {
  const all: AccessLogEntry[] = [];
  let pageToken = "";
  do {
    const page = await auditor.listAccessLog({ ...filters, pageToken });
    all.push(...page.calls);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}

async function exported(filters: Parameters<typeof auditor.exportAccessLog>[0]): Promise<ReceivedExport> {
  const received = await readExport(auditor.exportAccessLog(filters));
  expectTrailerToProve(received);
  return received;
}

/** Reads the ledger as somebody, a few times. */
async function readAs(subject: string, times: number): Promise<void> {
  const reader = await ledgerAs(service, "compliance", { subject });
  for (let i = 0; i < times; i++) await reader.listUserActions({ sessionId: `${subject}_${i}` });
}

test("a call is listed whole: when, who, with which roles, what was asked for, and how it ended", async () => {
  clock.set("2026-05-09T10:00:00.000001Z");
  const token = await service.token({
    roles: ["user", "compliance"],
    subject: "ann",
    ttlSeconds,
  });
  await service.client(UserActivityLedgerService, token).listUserActions({ wallet });
  const { calls } = await auditor.listAccessLog({ subject: "ann" });
  expect(calls).toEqual([
    expect.objectContaining({
      at: expect.objectContaining({ seconds: BigInt(microsOf("2026-05-09T10:00:00Z") / 1e6), nanos: 1000 }),
      subject: "ann",
      roles: expect.arrayContaining(["user", "compliance"]),
      method: list,
      filtersJson: JSON.stringify({ wallet: walletLowerCase }),
      outcome: "ALLOWED",
      requestId: expect.stringMatching(/^.{5,}$/),
    }),
  ]);
});

test("denied calls are in it, with what they were after and why they were denied", async () => {
  const user = await ledgerAs(service, "user", { subject: "uma", wallet });
  await refusalOf(user.listUserActions({ wallet: otherWallet }));
  await refusalOf(collect(user.exportUserActions({})));
  const { calls } = await auditor.listAccessLog({ subject: "uma" });
  expect(calls.map(({ method, outcome }) => [method, outcome])).toEqual([
    ["UserActivityLedgerService/ExportUserActions", "ROLE_NOT_ALLOWED"],
    [list, "WALLET_NOT_ALLOWED"],
  ]);
  expect(calls[1]?.filtersJson).toContain(otherWallet);
  expect(await listAll({ subject: "uma", outcome: "WALLET_NOT_ALLOWED" })).toHaveLength(1);
});

test("reading the log leaves one row, which the reading itself shows first", async () => {
  const reader = await accessLogAs("reader");
  const first = await reader.listAccessLog({ subject: "reader", pageSize: 1 });
  await readExport(reader.exportAccessLog({ subject: "reader" }));
  const { calls } = await reader.listAccessLog({ subject: "reader" });
  expect(calls.map(({ method, filtersJson }) => [method, filtersJson])).toEqual(
    [listing, exporting, listing].map((method) => [method, '{"subject":"reader"}']),
  );
  expect(first.calls[0]?.requestId).toBe(calls.at(-1)?.requestId);
});

test("reading it is denied to whoever else has a role, and leaves a row too", async () => {
  const token = await service.token({ roles: ["operator", "user"], subject: "nosy", wallet, ttlSeconds });
  const nosy = service.client(AccessLogService, token);
  expect((await refusalOf(nosy.listAccessLog({}))).reason).toBe("ROLE_NOT_ALLOWED");
  expect((await refusalOf(collect(nosy.exportAccessLog({})))).reason).toBe("ROLE_NOT_ALLOWED");
  const calls = await listAll({ subject: "nosy" });
  expect(calls.map(({ method, outcome }) => [method, outcome])).toEqual([
    [exporting, "ROLE_NOT_ALLOWED"],
    [listing, "ROLE_NOT_ALLOWED"],
  ]);
});

test("pages are newest first and have neither gaps nor repeats, whatever their size", async () => {
  await readAs("paging", 12);
  const newestFirst = Array.from({ length: 12 }, (_, i) => `{"session_id":"paging_${11 - i}"}`);
  for (const pageSize of [1, 5, 12, 1000]) {
    const calls = await listAll({ subject: "paging", pageSize });
    expect(calls.map(({ filtersJson }) => filtersJson)).toEqual(newestFirst);
  }
});

test("a time range is of when the call was made, its end not in it, and a method is the whole one", async () => {
  for (const day of [1, 2, 3]) {
    clock.set(`2026-06-0${day}T00:00:00Z`);
    await readAs(`day_${day}`, 1);
  }
  const at = (iso: string) => ({ seconds: BigInt(Date.parse(iso) / 1000) });
  const range = { fromTime: at("2026-06-02T00:00:00Z"), toTime: at("2026-06-03T00:00:00Z") };
  expect((await listAll({ ...range, method: list })).map(({ subject }) => subject)).toEqual(["day_2"]);
  expect(await listAll({ ...range, method: "ParameterChangeAuditorService/ListParameterChanges" })).toEqual(
    [],
  );
});

test("a method whose calls are never in it is refused, not answered with nothing", async () => {
  for (const method of ["ListUserActions", "UserActivityLedgerService/RecordUserAction", "listuseractions"]) {
    expect(await refusalOf(auditor.listAccessLog({ method }))).toMatchObject({ field: "method" });
  }
});

test("an export is the log's lines, oldest first, with a trailer that proves them whole", async () => {
  clock.set("2026-05-09T10:00:00Z");
  await readAs("exported", 3);
  const { lines, trailer } = await exported({ subject: "exported" });
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    [0, 1, 2].map((i) => ({
      at: "2026-05-09T10:00:00Z",
      subject: "exported",
      roles: ["compliance"],
      method: list,
      filters: { session_id: `exported_${i}` },
      outcome: "ALLOWED",
      request_id: expect.any(String),
    })),
  );
  expectChainOver(lines, trailer);
  expect(trailer).toMatchObject({ epoch: 1n, throughPosition: 0n });
});

test("an export goes on where it was cut, without what came meanwhile, and proves the parts as one", async () => {
  await fillLog("many", 5_000);
  const first = await exported({ subject: "many" });
  expect(first.lines).toHaveLength(5_000);
  const cut = first.resumePoints[0];
  if (cut === undefined) throw new Error("there is no middle to go on from");
  await fillLog("many", 10);
  const rest = await exported({ subject: "many", resumeToken: cut.token });
  const lines = [...first.bytes.subarray(0, cut.bytes).toString().trimEnd().split("\n"), ...rest.lines];
  expect(lines).toEqual(first.lines);
  expectChainOver(lines, rest.trailer);
  const refusal = await refusalOf(
    collect(auditor.exportAccessLog({ subject: "more", resumeToken: cut.token })),
  );
  expect(refusal).toMatchObject({ field: "resume_token" });
});

/** Rows of many calls, in one statement: making the calls would take minutes. */
async function fillLog(subject: string, rows: number): Promise<void> {
  await service.database.query(
    "service",
    `insert into access.read_log (epoch, ord, at, request_id, subject, roles, method, filters_json, outcome)
     select 1, n, '2026-05-09T10:00:00Z', gen_random_uuid()::text, $1, 'compliance', $2, '{"session_id":"s"}', 'ALLOWED'
     from generate_series(1, $3::int) n`,
    [subject, list, rows],
  );
}

test("a call whose row commits late is skipped by no reader who pages on meanwhile", async () => {
  const late = new pg.Client({ connectionString: service.database.url("service") });
  await late.connect();
  await late.query("begin");
  await late.query(
    `insert into access.read_log (epoch, ord, at, request_id, subject, roles, method, filters_json, outcome)
     values (1, 0, '2026-05-09T09:00:00Z', 'late', 'slow', '', $1, '{}', 'ALLOWED')`,
    [list],
  );
  const waiting = listAll({ subject: "slow" });
  await expect
    .poll(() =>
      service.database.query(
        "superuser",
        'select count(*)::int as n from access.read_log where filters_json = \'{"subject":"slow"}\'',
      ),
    )
    .toEqual([{ n: 1 }]);
  await late.query("commit");
  await late.end();
  expect((await waiting).map(({ requestId, roles }) => [requestId, roles])).toEqual([["late", []]]);
});

test("strange subjects and filters stay on one line each, as they were", async () => {
  const strange = "'; drop table access.read_log; --\u2028\u0085\u001b[31m\r\n\"\\";
  const reader = await ledgerAs(service, "compliance", { subject: strange });
  await reader.listUserActions({ traceId: strange });
  const { lines, bytes } = await exported({ subject: strange });
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { subject: strange, filters: { trace_id: strange } },
  ]);
  expect(bytes.toString().split(/[\n\r\u0085\u2028\u2029\v\f]/)).toHaveLength(2);
});
