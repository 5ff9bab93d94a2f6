import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { RecordKind } from "../../../gen/ts/polytraders/governance/v1/retention_pb.ts";
import { RetentionService } from "../../../gen/ts/polytraders/governance/v1/retention_service_pb.ts";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { createTestDatabase } from "../../support/database.ts";
import { refusalOf } from "../../support/refusal.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { openStream } from "../ledger/actionStream.ts";
import { action, otherWallet } from "../ledger/actions.ts";
import { tablesWith } from "./bytes.ts";
import { close, closedWallet, digits, scrubbingService, startScrubbing, until } from "./scrubbing.ts";

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

const own = { wallet: closedWallet };
const receipts = "exists (select from ledger.erasure)";
const closing = { ...own, actionType: "ACCOUNT_CLOSE", sessionId: "closing" };

describe("with scrub_on_account_close off, as it is by default", () => {
  test("the closing is recorded and nothing is scrubbed", async () => {
    await using service = await startTestService();
    const bot = await ledgerAs(service, "bot");
    await bot.recordUserAction(action("before", own));
    const account = await ledgerAs(service, "account");
    expect(await close(account)).toMatchObject({
      outcome: RecordOutcome.RECORDED,
      report: { actionType: "ACCOUNT_CLOSE", walletAddress: closedWallet, eventId: "close" },
      scrubbed: false,
      scrubbedRecords: 0n,
      scrubbedIdentity: "",
      receiptId: "",
      scrubPending: "",
      userMessage: "Your account is closed; your activity history is retained for compliance.",
    });
    const compliance = await ledgerAs(service, "compliance");
    const { actions } = await compliance.listUserActions(own);
    expect(actions.map(({ report }) => report?.eventId)).toEqual(["close", "before"]);

    // The same rules as for any action: it is one.
    expect(await close(account)).toMatchObject({ outcome: RecordOutcome.DUPLICATE, scrubbed: false });
    expect(await bot.recordUserAction(action("close", closing))).toMatchObject({
      outcome: RecordOutcome.DUPLICATE,
    });
    expect(await refusalOf(close(account, otherWallet))).toMatchObject({ reason: "EVENT_ID_CONFLICT" });
  });

  test("turning it on later does not scrub accounts that were closed before", async () => {
    const database = running.use(await createTestDatabase());
    let key = "";
    {
      await using service = await startTestService({ database });
      await close(await ledgerAs(service, "account"));
      key = await keyOf(service);
    }
    await using service = await startScrubbing({ database, env: await keyFile(key) });
    await close(await ledgerAs(service, "account"), otherWallet, "another");
    const compliance = await ledgerAs(service, "compliance");
    expect((await compliance.listUserActions(own)).actions).toHaveLength(1);
  });
});

test("the same closing sent again is a duplicate, and is answered with the same receipt", async () => {
  const service = await scrubbingService(running);
  const account = await ledgerAs(service, "account");
  const first = await close(account);
  expect(await close(account)).toMatchObject({
    outcome: RecordOutcome.DUPLICATE,
    scrubbed: true,
    receiptId: first.receiptId,
    scrubbedIdentity: first.scrubbedIdentity,
    scrubbedRecords: first.scrubbedRecords,
  });
  const second = await close(account, closedWallet.toLowerCase(), "close again");
  expect(second).toMatchObject({ outcome: RecordOutcome.RECORDED, receiptId: first.receiptId });
  expect(await tablesWith(service.database, digits)).toEqual([]);
});

test.each(["RecordUserAction", "StreamUserActions"])(
  "an ACCOUNT_CLOSE that comes through %s is scrubbed by itself",
  async (way) => {
    const service = await scrubbingService(running);
    const bot = await ledgerAs(service, "bot");
    await bot.recordUserAction(action("before", own));
    if (way === "RecordUserAction") {
      await bot.recordUserAction(action("close", closing));
    } else {
      const stream = await openStream(bot, "closings");
      stream.send(1, [action("close", closing)]);
      await stream.ack();
      await stream.end();
    }
    await until(service.database, receipts);
    expect(await tablesWith(service.database, digits)).toEqual([]);
  },
);

test("a legal hold keeps the account as it is until it is released", async () => {
  const service = await scrubbingService(running);
  const bot = await ledgerAs(service, "bot");
  await bot.recordUserAction(action("before", own));
  const lawyer = service.client(RetentionService, await service.token({ roles: ["compliance"] }));
  const scope = { kind: RecordKind.USER_ACTIVITY, sessionId: "sess_1" };
  await lawyer.placeLegalHold({ holdId: "hold", scope, reason: "a matter" });
  const account = await ledgerAs(service, "account");
  expect(await close(account)).toMatchObject({
    outcome: RecordOutcome.RECORDED,
    scrubbed: false,
    scrubPending: "LEGAL_HOLD",
    userMessage:
      "Your account is closed; your personally identifiable information will be removed from records as soon as that is permitted.",
  });
  await bot.recordUserAction(action("meanwhile", own));
  const compliance = await ledgerAs(service, "compliance");
  expect((await compliance.listUserActions(own)).actions).toHaveLength(3);

  await lawyer.releaseLegalHold({ holdId: "hold", reason: "settled" });
  await until(service.database, receipts);
  expect(await close(account)).toMatchObject({ scrubbed: true, scrubPending: "" });
  expect(await tablesWith(service.database, digits)).toEqual([]);
});

test("a batch that had begun before the account was closed is waited for", async () => {
  const service = await scrubbingService(running);
  const { database } = service;
  await using client = await openClient(database.url("service"));
  await client.query("begin");
  await client.query(`select ledger.append(array['slow'], array['\\x00'::bytea], array['slow'], array[now()],
    array[date '2040-01-01'], array['${closedWallet}'], array['s'], array['HALT'], array['slow'], array[null], array[null],
    array[null], array[null::bigint], array[null::bigint], array[null], array[null], array[null], '{}', '{}',
    array['not closed yet'], '{}', '{}', '{}', '{}')`);
  const account = await ledgerAs(service, "account");
  const answer = await account.closeAccount({ eventId: "close", wallet: closedWallet, sessionId: "c" });
  expect(answer).toMatchObject({ outcome: RecordOutcome.RECORDED, scrubPending: "SCRUB_UNDER_WAY" });
  await until(database, "exists (select from ledger.closed_wallet)");
  await client.query("commit");
  await until(database, receipts);
  expect(await tablesWith(database, digits)).toEqual([]);
});

test("what another run did not finish is finished at the next start", async () => {
  const database = running.use(await createTestDatabase());
  let key = "";
  {
    // Without the administrator's connection nobody here can scrub.
    await using service = await startScrubbing({ database, env: { DATABASE_ADMIN_URL: "" } });
    key = await keyOf(service);
    const account = await ledgerAs(service, "account");
    const answer = await account.closeAccount({ eventId: "close", wallet: closedWallet, sessionId: "c" });
    expect(answer).toMatchObject({ scrubbed: false, scrubPending: "SCRUB_UNDER_WAY" });
  }
  // As if it had broken off after closing the wallet.
  await database.query(
    "superuser",
    "insert into ledger.closed_wallet select identity, now() from ledger.closing",
  );
  await using service = await startScrubbing({ database, env: await keyFile(key) });
  await until(service.database, receipts);
  expect(await tablesWith(database, digits)).toEqual([]);
});

test("a replay that comes between the closing and the scrub is no second record", async () => {
  const database = running.use(await createTestDatabase());
  let key = "";
  const named = action(`evt ${closedWallet}`, own);
  {
    await using service = await startScrubbing({ database, env: { DATABASE_ADMIN_URL: "" } });
    key = await keyOf(service);
    const bot = await ledgerAs(service, "bot");
    await bot.recordUserAction(named);
    await bot.recordUserAction(action("close", closing));
    await database.query(
      "superuser",
      "insert into ledger.closed_wallet select identity, now() from ledger.closing",
    );
    expect(await bot.recordUserAction(named)).toMatchObject({ outcome: RecordOutcome.DUPLICATE });
    const other = bot.recordUserAction({ ...named, actionType: "HALT" });
    expect(await refusalOf(other)).toMatchObject({ reason: "EVENT_ID_CONFLICT" });
  }
  await using service = await startScrubbing({ database, env: await keyFile(key) });
  await until(database, receipts);
  const bot = await ledgerAs(service, "bot");
  expect(await bot.recordUserAction(named)).toMatchObject({ outcome: RecordOutcome.DUPLICATE });
  const [rows] = await database.query<{ n: number }>(
    "superuser",
    "select count(*)::int as n from ledger.user_action where event_id like 'evt%'",
  );
  expect(rows?.n).toBe(1);
  expect(await tablesWith(database, digits)).toEqual([]);
});

test("a month that is detached and not dropped yet is scrubbed too", async () => {
  const service = await scrubbingService(running);
  const { database } = service;
  await (await ledgerAs(service, "bot")).recordUserAction(action("old", own));
  const [month] = await database.query<{ name: string }>(
    "superuser",
    "select 'user_action_' || to_char(now() at time zone 'UTC', 'YYYY_MM') as name",
  );
  await database.query("superuser", `alter table ledger.user_action detach partition ledger.${month?.name}`);
  await database.query("superuser", `alter table ledger.${month?.name} set schema purged`);
  await database.query("superuser", `alter table purged.${month?.name} rename to ledger_${month?.name}_4711`);
  await close(await ledgerAs(service, "account"));
  const [old] = await database.query<{ wallet: string }>(
    "superuser",
    `select wallet from purged.ledger_${month?.name}_4711`,
  );
  expect(old?.wallet).toMatch(/^scrubbed:/);
  expect(await tablesWith(database, digits)).toEqual([]);
});

/** The key that content hashes and identities are made with: all services of a database need the same. */
function keyOf(service: TestService): Promise<string> {
  return readFile(join(service.dataDir, "scrub.key"), "utf8");
}

async function keyFile(key: string): Promise<NodeJS.ProcessEnv> {
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-scrub-key-")));
  const path = join(folder.path, "scrub.key");
  await writeFile(path, key);
  return { GOVERNANCE_SCRUB_KEY_FILE: path };
}

async function openClient(connectionString: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
