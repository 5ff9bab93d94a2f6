import { lockHolds } from "./holds.ts";
import { type Month, monthOf, partitionName } from "./months.ts";
import { inTransaction, lockPartitions, noteRewrite, type Pass, take } from "./pass.ts";
import { attachedSql, fillLinks, heldSql, monthlyTables } from "./tables.ts";
import { attach, guard } from "./take.ts";

/** A detached month waits this long for somebody to notice, microseconds. */
const graceMicros = 7 * 86_400_000_000;

type Detached = {
  readonly name: string;
  readonly month: Month;
  readonly isDue: boolean;
  readonly untilDay: number;
};

/**
 * Looks after the months that were detached before: what a hold covers by now comes back to its place, and
 * what has waited for a week is dropped.
 */
export async function endGrace(pass: Pass): Promise<void> {
  for (const detached of await waiting(pass)) {
    const { rows } = await pass.client.query<{ there: boolean }>(
      "select to_regclass($1) is not null as there",
      [`purged.${detached.name}`],
    );
    if (!rows[0]?.there) {
      if (!pass.isDry) await recordDropped(pass, detached, "missing");
      continue;
    }
    await bringBack(pass, detached);
    if (detached.isDue) await drop(pass, detached);
  }
}

async function waiting(pass: Pass): Promise<readonly Detached[]> {
  const { rows } = await pass.client.query<{
    name: string;
    table_name: string;
    month: string;
    until: number;
    micros: string;
  }>(
    `select name, table_name, to_char(month, 'YYYY-MM') as month, retained_until - date '1970-01-01' as until,
       (extract(epoch from detached_at) * 1000000)::bigint::text as micros
     from maintenance.detached_partition d
     where not exists (select from maintenance.dropped_partition p where p.name = d.name)
     order by table_name <> $1, detached_at, name`,
    // Links first: held fills are known by them.
    [fillLinks.name],
  );
  return rows.flatMap((row) => {
    const table = monthlyTables.find(({ name }) => name === row.table_name);
    if (table === undefined) return [];
    const isDue = Number(row.micros) + graceMicros <= pass.nowMicros;
    return [{ name: row.name, month: monthOf(table, row.month), isDue, untilDay: row.until }];
  });
}

/** A hold that was placed during the week: what it covers is put back where it was. */
async function bringBack(pass: Pass, { name, month, untilDay }: Detached): Promise<void> {
  const { client } = pass;
  const { table } = month;
  const { rows: holds } = await client.query(
    "select from maintenance.hold_in_force where kind = $1 limit 1",
    [table.holds],
  );
  if (holds.length === 0) return;
  const held = `from purged.${name} t where ${heldSql(table)} and not ${attachedSql(table)}`;
  await inTransaction(pass, async () => {
    if (!pass.isDry) {
      await client.query(lockPartitions);
      await client.query(lockHolds);
    }
    const { rows } = await client.query<{ records: number }>(`select count(*)::int as records ${held}`);
    const records = rows[0]?.records ?? 0;
    if (records === 0) return;
    if (!pass.isDry) {
      await ensurePartition(pass, month);
      await client.query(`insert into ${partitionName(month)} select t.* ${held}`);
      await noteRewrite(pass, month, "");
    }
    await take(pass, {
      table: table.name,
      month: month.month,
      action: "KEPT",
      records,
      heldRecords: records,
      untilDay,
    });
  });
}

async function ensurePartition(pass: Pass, month: Month): Promise<void> {
  const name = partitionName(month);
  const { rows } = await pass.client.query<{ there: boolean }>(
    "select to_regclass($1) is not null as there",
    [name],
  );
  if (rows[0]?.there) return;
  await pass.client.query(
    `create table ${name} (like ${month.table.name} including defaults including constraints including indexes)`,
  );
  await guard(pass, month);
  await attach(pass, month);
}

async function drop(pass: Pass, detached: Detached): Promise<void> {
  const { client } = pass;
  const { name, month, untilDay } = detached;
  await inTransaction(pass, async () => {
    if (!pass.isDry) await client.query(lockHolds);
    const records = await goneFor(pass, detached);
    if (!pass.isDry) {
      await client.query(`drop table purged.${name}`);
      await recordDropped(pass, detached, "dropped");
    }
    const told = { table: month.table.name, month: month.month, records, heldRecords: 0, untilDay };
    await take(pass, { ...told, action: "DROPPED" });
  });
}

/** How many records the table alone has: what was held moved into the month's new partition. */
async function goneFor(pass: Pass, { name, month }: Detached): Promise<number> {
  const { rows } = await pass.client.query<{ records: string; attached: boolean }>(
    `select records::text as records, to_regclass($2) is not null as attached
     from maintenance.detached_partition where name = $1`,
    [name, partitionName(month)],
  );
  if (!rows[0]?.attached) return Number(rows[0]?.records ?? 0);
  const counted = await pass.client.query<{ records: string }>(
    `select count(*)::text as records from purged.${name} t where not ${attachedSql(month.table)}`,
  );
  return Number(counted.rows[0]?.records ?? 0);
}

async function recordDropped(pass: Pass, { name }: Detached, outcome: "dropped" | "missing"): Promise<void> {
  await pass.client.query(
    `insert into maintenance.dropped_partition (name, run_id, outcome, dropped_at)
     values ($1, $2, $3, timestamptz 'epoch' + $4::bigint * interval '1 microsecond')`,
    [name, pass.runId, outcome, pass.nowMicros],
  );
}
