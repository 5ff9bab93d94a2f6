import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { TestService } from "../../support/service.ts";

export type Busy = AsyncDisposable & {
  /** Resolves once somebody is held up. */
  waitedFor(): Promise<void>;
};

/** Holds up whoever writes an action or an access row, until it is disposed of. */
export async function makeBusy(service: TestService): Promise<Busy> {
  const client = new Client({ connectionString: service.database.url("superuser") });
  await client.connect();
  await client.query("begin; lock table ledger.user_action, access.read_log in access exclusive mode");
  let held = true;
  return {
    async waitedFor() {
      const waiting =
        "select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())";
      while ((await client.query(waiting)).rowCount === 0) await sleep(5);
    },
    async [Symbol.asyncDispose]() {
      if (!held) return;
      held = false;
      await client.end();
    },
  };
}
