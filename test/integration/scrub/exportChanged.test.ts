import { afterAll, beforeAll, expect, test } from "vitest";
import { AccessLogService } from "../../../gen/ts/polytraders/governance/v1/access_log_service_pb.ts";
import { auditorAs, type LedgerClient, ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { readExport } from "../../support/exportReader.ts";
import { refusalOf } from "../../support/refusal.ts";
import type { TestService } from "../../support/service.ts";
import { write } from "../auditor/writes.ts";
import { action, otherWallet } from "../ledger/actions.ts";
import { close, startScrubbing } from "./scrubbing.ts";

const running = new AsyncDisposableStack();
let database: TestDatabase;
let service: TestService;
let bot: LedgerClient;
let compliance: LedgerClient;
let account: LedgerClient;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  service = running.use(await startScrubbing({ database }));
  bot = await ledgerAs(service, "bot");
  compliance = await ledgerAs(service, "compliance");
  account = await ledgerAs(service, "account");
  await bot.recordUserAction(action("evt", { wallet: otherWallet }));
  await bot.recordExecutionReport({ fillId: "fill", wallet: otherWallet });
});
afterAll(() => running.disposeAsync());

let accounts = 0;
/** Closes an account of its own that has one record. */
async function scrubSomebody(): Promise<{ wallet: string; identity: string }> {
  const wallet = `0x${(++accounts).toString().repeat(40)}`;
  await bot.recordUserAction(action(`of ${accounts}`, { wallet, sessionId: "s" }));
  const { scrubbedIdentity } = await close(account, wallet, `close ${accounts}`);
  return { wallet, identity: scrubbedIdentity };
}

/** A purge's mark that a month of a table went. */
async function purge(table: string, month: string): Promise<void> {
  await database.query("superuser", "select maintenance.note_rewrite('purge', $1, $2::date, null)", [
    table,
    `${month}-01`,
  ]);
}

type Filters = Parameters<LedgerClient["exportUserActions"]>[0];

/** A token to go on with behind the first lines. */
async function begun(filters: Filters): Promise<string> {
  const { resumePoints } = await readExport(compliance.exportUserActions(filters));
  return resumePoints[0]?.token ?? "";
}

const resumed = (filters: Filters, resumeToken: string) =>
  readExport(compliance.exportUserActions({ ...filters, resumeToken }));

const changed = { code: "Aborted", reason: "EXPORT_CHANGED" };
const thisMonth = new Date().toISOString().slice(0, 7);

test("an export that was cut does not go on once an account was scrubbed", async () => {
  const token = await begun({});
  expect((await resumed({}, token)).trailer.complete).toBe(true);
  await scrubSomebody();
  expect(await refusalOf(resumed({}, token))).toMatchObject(changed);
  expect((await readExport(compliance.exportUserActions({}))).trailer.complete, "a new one").toBe(true);
});

test("one of another wallet's records goes on, one of the account's own does not", async () => {
  const others = await begun({ wallet: otherWallet });
  const wallet = `0x${"ab".repeat(20)}`;
  await bot.recordUserAction(action("of ab", { wallet }));
  const own = await begun({ wallet });
  const { scrubbedIdentity } = await close(account, wallet, "close ab");
  expect((await resumed({ wallet: otherWallet }, others)).trailer.complete).toBe(true);
  expect(await refusalOf(resumed({ wallet }, own))).toMatchObject(changed);
  expect((await readExport(compliance.exportUserActions({ wallet: scrubbedIdentity }))).lines).toHaveLength(
    2,
  );
});

test("a purge of a month in its time range ends it, one of another month, or of other records, does not", async () => {
  const fromTime = { seconds: BigInt(Date.parse(`${thisMonth}-01T00:00:00Z`) / 1000), nanos: 0 };
  const recent = await begun({ fromTime });
  const all = await begun({});
  await purge("auditor.parameter_change", thisMonth);
  await purge("ledger.fill_report", thisMonth);
  expect((await resumed({}, all)).trailer.complete).toBe(true);
  await purge("ledger.user_action", "2016-03");
  expect(await refusalOf(resumed({}, all))).toMatchObject(changed);
  expect((await resumed({ fromTime }, recent)).trailer.complete).toBe(true);
  await purge("detaching ledger.user_action", thisMonth);
  expect(await refusalOf(resumed({ fromTime }, recent))).toMatchObject(changed);
});

test("fills and calls change with a scrub, parameter changes do not", async () => {
  const reading = service.client(AccessLogService, await service.token({ roles: ["compliance"] }));
  const auditing = await auditorAs(service, "compliance");
  await (await auditorAs(service, "config-store")).checkWrite(write("p"));
  const fills = await readExport(compliance.exportFills({}));
  const calls = await readExport(reading.exportAccessLog({}));
  const changes = await readExport(auditing.exportParameterChanges({}));
  await scrubSomebody();
  const tokenOf = ({ resumePoints }: typeof fills) => ({ resumeToken: resumePoints[0]?.token ?? "" });
  expect(await refusalOf(readExport(compliance.exportFills(tokenOf(fills))))).toMatchObject(changed);
  expect(await refusalOf(readExport(reading.exportAccessLog(tokenOf(calls))))).toMatchObject(changed);
  const rest = await readExport(auditing.exportParameterChanges(tokenOf(changes)));
  expect(rest.trailer.complete).toBe(true);
});

test("an export that is read slowly ends with the error instead of its trailer", async () => {
  await database.query(
    "superuser",
    `insert into ledger.user_action (accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id,
       action_type, recorded_by, params_json)
     select now(), 1, n, '2040-01-01', 'r' || n, 'bulk_' || n, $1, 'bulk', 'HALT', 'filler',
       '{"filler":"' || repeat(md5(n::text), 1875) || '"}'
     from generate_series(1, 500) n`,
    [otherWallet],
  );
  const parts = compliance.exportUserActions({ sessionId: "bulk" })[Symbol.asyncIterator]();
  expect((await parts.next()).done).toBe(false);
  await scrubSomebody();
  const rest = { [Symbol.asyncIterator]: () => parts };
  expect(await refusalOf(readExport(rest))).toMatchObject(changed);
});
