import pg from "pg";
import type { TestDatabase } from "../../support/database.ts";

/** Somebody else's open transaction that claims an event id: whoever records the same id waits for it. */
export type HeldEvent = AsyncDisposable & {
  /** Resolves once a session of the service waits for the id. */
  waitedFor(): Promise<void>;
  /** Ends the transaction as if it had never been. */
  release(): Promise<void>;
};

export async function holdEvent(database: TestDatabase, eventId: string): Promise<HeldEvent> {
  const client = new pg.Client({ connectionString: database.url("superuser") });
  await client.connect();
  await client.query("begin");
  await client.query(
    `insert into ledger.event_key (event_id, record_id, accepted_at, epoch, ord, content_hash)
     values ($1, 'held', now(), 1, 0, '')`,
    [eventId],
  );
  let held = true;
  async function release(): Promise<void> {
    if (!held) return;
    held = false;
    await client.query("rollback");
  }
  return {
    release,
    async waitedFor() {
      // On a connection of its own: inside a transaction pg_stat_activity stays as it was first seen.
      for (;;) {
        const [seen] = await database.query<{ waiting: number }>(
          "superuser",
          `select count(*)::int as waiting from pg_stat_activity
           where datname = current_database() and usename = 'governance_service' and wait_event_type = 'Lock'`,
        );
        if (seen?.waiting) return;
      }
    },
    async [Symbol.asyncDispose]() {
      await release();
      await client.end();
    },
  };
}
