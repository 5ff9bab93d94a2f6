import type { Ledger } from "./ledger.ts";

export type PurgeTimes = {
  readonly rows: number;
  readonly deleteMs: number;
  readonly dropMs: number;
};

/**
 * What it takes to be rid of the oldest month's rows: deleting them, undone again, and taking the month's
 * partition away as the purge does.
 */
export async function purgeMonth({ database }: Ledger): Promise<PurgeTimes> {
  const { rows } = await database.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhparent = 'ledger.user_action'::regclass order by 1 limit 1`,
  );
  const month = rows[0]?.name;
  if (month === undefined) throw new Error("the ledger has no month to purge");
  await database.query("begin");
  await database.query("set local role governance_owner");
  await database.query("set local governance.maintenance = 'on'");
  const deleting = performance.now();
  const deleted = await database.query(`delete from ${month}`);
  const deleteMs = performance.now() - deleting;
  await database.query("rollback");
  const dropping = performance.now();
  await database.query(`alter table ledger.user_action detach partition ${month} concurrently`);
  await database.query(`drop table ${month}`);
  return { rows: deleted.rowCount ?? 0, deleteMs, dropMs: performance.now() - dropping };
}
