import type { Ledger } from "./ledger.ts";

export type PurgeTimes = {
  readonly rows: number;
  readonly deleteMs: number;
  readonly dropMs: number;
};

/**
 * What it takes to be rid of a month's rows: deleting those of the oldest month, and taking the partition of
 * the next one away as the purge does. Both months have the same number of rows.
 */
export async function purgeMonth({ database }: Ledger): Promise<PurgeTimes> {
  const { rows } = await database.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhparent = 'ledger.user_action'::regclass order by 1 limit 2`,
  );
  const [oldest, next] = rows;
  if (oldest === undefined || next === undefined) throw new Error("the ledger has no months to purge");
  await database.query("set synchronous_commit = on; checkpoint");
  const deleting = performance.now();
  await database.query("begin");
  await database.query("set local role governance_owner");
  await database.query("set local governance.maintenance = 'on'");
  const deleted = await database.query(`delete from ${oldest.name}`);
  await database.query("commit");
  const deleteMs = performance.now() - deleting;
  const dropping = performance.now();
  await database.query(`alter table ledger.user_action detach partition ${next.name} concurrently`);
  await database.query(`drop table ${next.name}`);
  return { rows: deleted.rowCount ?? 0, deleteMs, dropMs: performance.now() - dropping };
}
