import { setTimeout as sleep } from "node:timers/promises";
import type { CloseAccountResponse } from "../../../gen/ts/polytraders/governance/v1/user_activity_ledger_pb.ts";
import type { LedgerClient } from "../../support/callers.ts";
import { createTestDatabase, type TestDatabase } from "../../support/database.ts";
import { startTestService, type TestService } from "../../support/service.ts";

export const digits = "deadbeefcafe00112233445566778899aabbccdd";
export const closedWallet = "0xDeadBeefCAFE00112233445566778899aaBBccDD";

type Options = Parameters<typeof startTestService>[0];

/** A service that scrubs closed accounts, on a database of its own unless one is given. */
export async function startScrubbing(
  options: Options & { readonly database: TestDatabase },
): Promise<TestService> {
  return startTestService({
    config: "gov.useractivityledger: { scrub_on_account_close: true }",
    limits: { scrubEveryMs: 100 },
    ...options,
    env: { DATABASE_ADMIN_URL: options.database.url("admin"), ...options.env },
  });
}

/** The same with a database that goes with it. */
export async function scrubbingService(running: AsyncDisposableStack): Promise<TestService> {
  const database = running.use(await createTestDatabase());
  return running.use(await startScrubbing({ database }));
}

/** Closes the account, and asks again while the scrub is under way: with the same id it is the same closing. */
export async function close(
  account: LedgerClient,
  wallet = closedWallet,
  eventId = "close",
): Promise<CloseAccountResponse> {
  for (;;) {
    const answer = await account.closeAccount({ eventId, wallet, sessionId: "closing" });
    if (answer.scrubPending !== "SCRUB_UNDER_WAY") return answer;
    await sleep(20);
  }
}

/** Waits until the database says so. */
export async function until(database: TestDatabase, condition: string): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ met: boolean }>("superuser", `select (${condition}) as met`);
    if (row?.met) return;
    await sleep(20);
  }
}
