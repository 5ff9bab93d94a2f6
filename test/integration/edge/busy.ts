import { Client } from "pg";
import type { TestService } from "../../support/service.ts";

/** Holds up whoever writes an action or an access row, until it is disposed of. */
export async function makeBusy(service: TestService): Promise<AsyncDisposable> {
  const client = new Client({ connectionString: service.database.url("superuser") });
  await client.connect();
  await client.query("begin; lock table ledger.user_action, access.read_log in access exclusive mode");
  let held = true;
  return {
    async [Symbol.asyncDispose]() {
      if (!held) return;
      held = false;
      await client.end();
    },
  };
}
