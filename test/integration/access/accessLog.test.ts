import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type AuditorClient, auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { stoppedClock } from "../../support/clock.ts";
import { collect, readExport } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { openStream } from "../ledger/actionStream.ts";
import { action, otherWallet, wallet, walletLowerCase } from "../ledger/actions.ts";

let service: TestService;
let compliance: LedgerClient;
let auditing: AuditorClient;
beforeAll(async () => {
  service = await startTestService({ clock: stoppedClock("2026-05-09T10:00:00.000001Z") });
  compliance = await ledgerAs(service, "compliance", { subject: "carol" });
  auditing = await auditorAs(service, "compliance", { subject: "carol" });
});
afterAll(() => service[Symbol.asyncDispose]());

type Row = { subject: string; roles: string; method: string; filters: unknown; outcome: string };

let seen = 0;
/** The rows that came since the last look. */
async function newRows(): Promise<Row[]> {
  const rows = await service.database.query<Row>(
    "superuser",
    `select subject, roles, method, filters_json::json as filters, outcome from access.read_log order by ctid`,
  );
  const fresh = rows.slice(seen);
  seen = rows.length;
  return fresh;
}
beforeEach(async () => {
  await newRows();
});

const list = "UserActivityLedgerService/ListUserActions";
const exporting = "UserActivityLedgerService/ExportUserActions";

test("every call that reads leaves one row: who, what was asked for, and that it was allowed", async () => {
  await compliance.listUserActions({ wallet, sessionId: "s", pageSize: 7 });
  await readExport(compliance.exportUserActions({ actionType: "HALT", fromTime: { seconds: 1n, nanos: 1 } }));
  await auditing.listParameterChanges({ botSlug: "Risk.Kill_Switch", paramTier: "P0" });
  await readExport(auditing.exportParameterChanges({}));
  const carol = { subject: "carol", roles: "compliance", outcome: "ALLOWED" };
  expect(await newRows()).toEqual([
    { ...carol, method: list, filters: { wallet: walletLowerCase, session_id: "s" } },
    { ...carol, method: exporting, filters: { action_type: "HALT", from_micros: "1000001" } },
    {
      ...carol,
      method: "ParameterChangeAuditorService/ListParameterChanges",
      filters: { bot_key: "risk.killswitch", tier: "P0" },
    },
    { ...carol, method: "ParameterChangeAuditorService/ExportParameterChanges", filters: {} },
  ]);
});

test("its time is the service's, to the microsecond, and its request id is its own", async () => {
  await Promise.all(Array.from({ length: 5 }, () => compliance.listUserActions({})));
  const rows = await service.database.query<{ micros: string; request_id: string }>(
    "superuser",
    "select extract(epoch from at)::text as micros, request_id from access.read_log",
  );
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(rows.length);
  expect(new Set(rows.map((row) => row.micros))).toEqual(new Set(["1778320800.000001"]));
});

test("each page and each resumed export is a call of its own", async () => {
  const bot = await ledgerAs(service, "bot");
  for (let i = 0; i < 3; i++) await bot.recordUserAction(action(`paged_${i}`, { sessionId: "paged" }));
  const first = await compliance.listUserActions({ sessionId: "paged", pageSize: 2 });
  await compliance.listUserActions({ sessionId: "paged", pageSize: 2, pageToken: first.nextPageToken });
  const { resumePoints } = await readExport(compliance.exportUserActions({ sessionId: "paged" }));
  const resumeToken = resumePoints[0]?.token ?? "";
  await readExport(compliance.exportUserActions({ sessionId: "paged", resumeToken }));
  expect((await newRows()).map((row) => row.method)).toEqual([list, list, exporting, exporting]);
});

test("an export that its reader leaves after the first line has left its row", async () => {
  const controller = new AbortController();
  const parts = compliance.exportUserActions({ sessionId: "paged" }, { signal: controller.signal });
  await parts[Symbol.asyncIterator]().next();
  controller.abort();
  expect((await newRows()).map((row) => row.outcome)).toEqual(["ALLOWED"]);
});

test("what a role may not read leaves a row that says so, one for each call", async () => {
  const bot = await ledgerAs(service, "bot", { subject: "nosy" });
  const operator = await auditorAs(service, "operator", { subject: "nosy" });
  for (const call of [
    () => bot.listUserActions({ wallet }),
    () => collect(bot.exportUserActions({ wallet })),
    () => collect(operator.exportParameterChanges({ botSlug: "b" })),
  ]) {
    expect((await refusalOf(call())).reason).toBe("ROLE_NOT_ALLOWED");
  }
  const nosy = { subject: "nosy", outcome: "ROLE_NOT_ALLOWED" };
  expect(await newRows()).toEqual([
    { ...nosy, roles: "bot", method: list, filters: { wallet } },
    { ...nosy, roles: "bot", method: exporting, filters: { wallet } },
    {
      ...nosy,
      roles: "operator",
      method: "ParameterChangeAuditorService/ExportParameterChanges",
      filters: { bot_slug: "b" },
    },
  ]);
});

test("a user who asks for another's wallet leaves a row with that wallet, and one who asks for their own an allowed one", async () => {
  const user = await ledgerAs(service, "user", { subject: "uma", wallet });
  await refusalOf(user.listUserActions({ wallet: otherWallet }));
  await user.listUserActions({});
  const uma = { subject: "uma", roles: "user", method: list };
  expect(await newRows()).toEqual([
    { ...uma, filters: { wallet: otherWallet }, outcome: "WALLET_NOT_ALLOWED" },
    { ...uma, filters: { wallet: walletLowerCase }, outcome: "ALLOWED" },
  ]);
});

test("recording, streaming and asking the gate leave none, refused or not", async () => {
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("quiet"));
  await refusalOf(bot.recordUserAction(action("quiet", { wallet: otherWallet })));
  const stream = await openStream(bot, "quiet");
  stream.send(1, [action("quiet_2")]);
  await stream.ack();
  await stream.end();
  const configStore = await auditorAs(service, "config-store");
  await configStore.checkWrite(write("quiet", { writeId: "q" }));
  await configStore.checkWrite(write("quiet", { writeId: "q" }));
  await refusalOf((await ledgerAs(service, "user")).recordUserAction(action("quiet_3")));
  expect(await newRows()).toEqual([]);
});

test("strange filters are kept as they came, in one row", async () => {
  const traceId = "'; drop table access.read_log; --\u2028\u001b[31m\r\n\"\\";
  await compliance.listUserActions({ traceId });
  expect(await newRows()).toMatchObject([{ filters: { trace_id: traceId } }]);
});

test("a row that cannot be written now waits in the spool, and is there once it can be", async () => {
  const { database } = service;
  await database.query("superuser", "alter table access.read_log rename to hidden");
  await compliance.listUserActions({ traceId: "hidden" });
  await database.query("superuser", "alter table access.hidden rename to read_log");
  await expect.poll(newRows, { timeout: 10_000 }).toMatchObject([{ filters: { trace_id: "hidden" } }]);
});
