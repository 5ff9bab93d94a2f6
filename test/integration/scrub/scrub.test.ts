import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ledgerAs } from "../../support/callers.ts";
import type { TestService } from "../../support/service.ts";
import { tablesWith } from "./bytes.ts";
import { recordEverywhere } from "./everywhere.ts";
import { close, closedWallet, digits, scrubbingService } from "./scrubbing.ts";

const running = new AsyncDisposableStack();
let service: TestService;
let before: Tables;
let after: Tables;
let tablesBefore: string[];
let answer: Awaited<ReturnType<typeof close>>;
beforeAll(async () => {
  service = await scrubbingService(running);
  await recordEverywhere(service);
  await service.database.query("superuser", "analyze");
  before = await contents();
  tablesBefore = await tablesWith(service.database, digits);
  answer = await close(await ledgerAs(service, "account", { subject: `accounts of ${closedWallet}` }));
  after = await contents();
});
afterAll(() => running.disposeAsync());

type Tables = Record<string, unknown[]>;

/** Tables whose rows were there before the account was closed, in the order in which they came. */
const kept = [
  "ledger.user_action",
  "ledger.event_key",
  "ledger.conflict",
  "ledger.fill_report",
  "ledger.fill_key",
  "ledger.fill_link",
  "ledger.fill_trace",
  "ledger.order_trace",
  "ledger.order_fill",
  "ledger.fill_alias",
  "ledger.session_seen",
  "ledger.session_gap",
  "ledger.producer",
  "access.read_log",
  "maintenance.legal_hold",
  "maintenance.legal_hold_release",
  "log.entry",
];

/** Every row as an object, what is JSON inside it as values; mentions are only an index. */
async function contents(): Promise<Tables> {
  const tables: Tables = {};
  for (const name of kept) {
    const rows = await service.database.query<{ row: Record<string, unknown> }>(
      "superuser",
      `select to_json(t) as row from ${name} t`,
    );
    tables[name] = rows.map(({ row }) =>
      Object.fromEntries(
        Object.entries(row)
          .filter(([column]) => column !== "mentions")
          .map(([column, value]) => [column, column.endsWith("_json") ? JSON.parse(String(value)) : value]),
      ),
    );
  }
  return tables;
}

const spelt = new RegExp(`(0x)?(0{24})?${digits}`, "gi");

/** The same with what stands for the wallet in its place: all that a scrub may change. */
function scrubbed(value: unknown, identity: string): unknown {
  if (typeof value === "string") return value.replace(spelt, identity);
  if (Array.isArray(value)) return value.map((item) => scrubbed(item, identity));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key.replace(spelt, identity), scrubbed(member, identity)]),
  );
}

test("before its account is closed a wallet is in every table that it can come into", () => {
  const named = tablesBefore.map((name) => name.replace(/_\d{4}_\d\d$/, ""));
  expect(named).toEqual(expect.arrayContaining(kept.filter((name) => name !== "log.entry")));
  expect(named, "the planner's samples").toContain("pg_catalog.pg_statistic");
});

test("once it is closed, the account service is told what became of it, and the user in the words of the specification", () => {
  expect(answer).toMatchObject({
    scrubbed: true,
    scrubPending: "",
    scrubbedIdentity: expect.stringMatching(/^scrubbed:[0-9a-f]{16}:[0-9a-f]{64}$/),
    receiptId: expect.stringMatching(/^era_[0-9A-Z]{26}$/),
    userMessage:
      "Your personally identifiable information has been removed from records, but anonymised activity history is retained for compliance.",
    report: { actionType: "ACCOUNT_CLOSE", walletAddress: answer.scrubbedIdentity },
  });
  expect(answer.scrubbedRecords).toBeGreaterThan(10n);
});

test("its bytes are nowhere: no column of any table of any schema, escaped or not, and no file of the service", async () => {
  expect(await tablesWith(service.database, digits)).toEqual([]);
  for (const file of await filesIn(service.dataDir)) {
    expect((await readFile(file)).toString("latin1").toLowerCase(), file).not.toContain(digits);
  }
});

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const paths = names.map((name) => join(folder, name));
  const found = await Promise.all(
    paths.map(async (path) => ((await stat(path)).isFile() ? path : undefined)),
  );
  return found.filter((path) => path !== undefined);
}

test.each(kept)("of %s all else stays as it was, place, time and retention included", (name) => {
  const rows = new Set(after[name]?.map((row) => JSON.stringify(row)));
  const expected = before[name]?.map((row) => JSON.stringify(scrubbed(row, answer.scrubbedIdentity))) ?? [];
  expect(expected.length).toBeGreaterThan(0);
  expect(expected.filter((row) => !rows.has(row))).toEqual([]);
});

test("the numbers of the parameters keep their digits, and their escapes their spelling", async () => {
  const [row] = await service.database.query<{ params_json: string }>(
    "superuser",
    "select params_json from ledger.user_action where event_id = 'params'",
  );
  const identity = answer.scrubbedIdentity;
  expect(row?.params_json).toBe(
    `{"n":1.50e3,"to":["${identity}",{"${identity}":"${identity}"}],"data":"0xa9059cbb${identity}${"0".repeat(61)}1f4","id":"7"}`,
  );
});

test("the receipt says what stands for the wallet, who asked, when, and how much was changed where", async () => {
  const [row] = await service.database.query<Record<string, unknown>>(
    "superuser",
    `select e.*, e.records::int as records, a.action_type, e.scrubbed_at >= e.asked_at as in_order
     from ledger.erasure e join ledger.user_action a on a.record_id = e.record_id`,
  );
  const identity = answer.scrubbedIdentity;
  expect(row).toMatchObject({
    receipt_id: answer.receiptId,
    identity,
    action_type: "ACCOUNT_CLOSE",
    asked_by: `accounts of ${identity}`,
    in_order: true,
    records: Number(answer.scrubbedRecords),
    key_id: identity.split(":")[1],
  });
  const counts: unknown = JSON.parse(String(row?.tables_json));
  expect(counts).toMatchObject({ "ledger.user_action": 12, "ledger.fill_report": 4, "ledger.conflict": 2 });
});

test("its history can still be grouped, by what stands for it, and by nothing else", async () => {
  const compliance = await ledgerAs(service, "compliance");
  const ofIdentity = await compliance.listUserActions({ wallet: answer.scrubbedIdentity });
  expect(ofIdentity.actions.map(({ report }) => report?.eventId)).toEqual([
    "close",
    "inexact",
    "params",
    `evt-${answer.scrubbedIdentity}-1`,
    "upper",
    "lower",
    "checksummed",
  ]);
  expect((await compliance.listUserActions({ wallet: closedWallet })).actions).toEqual([]);
});

test("the user whose wallet it was reads nothing more", async () => {
  const user = await ledgerAs(service, "user", { wallet: closedWallet });
  expect((await user.listUserActions({})).actions).toEqual([]);
  expect(await tablesWith(service.database, digits)).toEqual([]);
});
