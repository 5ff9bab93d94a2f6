import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordOutcome } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import { ledgerAs } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { type DatabaseProxy, startDatabaseProxy } from "../../support/proxy.ts";
import type { TestService } from "../../support/service.ts";
import { action, otherWallet } from "../ledger/actions.ts";
import { tablesWith } from "../scrub/bytes.ts";
import { close, closedWallet, digits, startScrubbing, until } from "../scrub/scrubbing.ts";
import { drained, spoolFilesWith } from "./spooling.ts";

const running = new AsyncDisposableStack();
let database: TestDatabase;
let proxy: DatabaseProxy;
let away: TestService;
let other: TestService;
beforeAll(async () => {
  database = running.use(await createTestDatabase());
  proxy = running.use(await startDatabaseProxy());
  const folder = running.use(await mkdtempDisposable(join(tmpdir(), "governance-scrub-")));
  const key = { GOVERNANCE_SCRUB_KEY_FILE: join(folder.path, "scrub.key") };
  const env = {
    ...key,
    DATABASE_URL: proxy.through(database.url("service")),
    DATABASE_ADMIN_URL: proxy.through(database.url("admin")),
  };
  away = running.use(await startScrubbing({ database, env }));
  other = running.use(await startScrubbing({ database, env: key }));
});
afterAll(() => running.disposeAsync());

const own = { wallet: closedWallet, sessionId: `sess_${digits}` };

async function spoolEverywhere(name: string): Promise<void> {
  const bot = await ledgerAs(away, "bot");
  const params = { to: closedWallet, [closedWallet]: [digits.toUpperCase()] };
  const actions = [
    action(name, own),
    action(`${name} in its id ${closedWallet}`, own),
    action(`${name} in params`, { wallet: otherWallet, params }),
    action(`${name} again`, { ...own, traceId: `trc ${digits}`, params }),
  ];
  for (const each of actions) {
    expect((await bot.recordUserAction(each)).outcome).toBe(RecordOutcome.BUFFERED);
  }
  await bot.recordExecutionReport({
    fillId: `${name} fill`,
    status: "MATCHED",
    wallet: closedWallet,
    rawJson: `{"maker":"${closedWallet}"}`,
  });
}

test("what waits in another replica's spool when an account is closed leaves no byte of its wallet behind", async () => {
  const bot = await ledgerAs(away, "bot");
  await bot.recordUserAction(action("before", own));
  proxy.cut();
  await spoolEverywhere("late");
  expect(spoolFilesWith(away.dataDir, digits)).not.toEqual([]);
  const answer = await close(await ledgerAs(other, "account"));
  expect(answer.scrubbed).toBe(true);
  proxy.mend();
  await drained(away);
  await expect.poll(() => spoolFilesWith(away.dataDir, digits)).toEqual([]);
  expect(await tablesWith(database, digits)).toEqual([]);
  const compliance = await ledgerAs(other, "compliance");
  const { actions } = await compliance.listUserActions({ wallet: answer.scrubbedIdentity });
  // The closing and what came before it, and from the spool all that was its own.
  expect(actions).toHaveLength(5);
});

test("a closing that waits in the spool is scrubbed once it is drained", async () => {
  const bot = await ledgerAs(away, "bot");
  const wallet = `0x${"ab12".repeat(10)}`;
  proxy.cut();
  await bot.recordUserAction(action("of ab12", { wallet }));
  await bot.recordUserAction(action("closing", { wallet, sessionId: "c", actionType: "ACCOUNT_CLOSE" }));
  proxy.mend();
  await drained(away);
  await until(database, "(select count(*) = 2 from ledger.erasure)");
  expect(await tablesWith(database, wallet.slice(2))).toEqual([]);
  await expect.poll(() => spoolFilesWith(away.dataDir, wallet.slice(2))).toEqual([]);
});
