import { textOfMicros } from "../time.ts";
import { lockHolds } from "./holds.ts";
import { type Count, countRecords, lastDayOf, type Month, partitionName } from "./months.ts";
import { inTransaction, lockPartitions, noteRewrite, type Pass, patiently, take } from "./pass.ts";
import type { Step } from "./runs.ts";
import { staysSql } from "./tables.ts";

/** What is told of a month. */
export function stepOf(month: Month, action: Step["action"], count: Count): Step {
  const { table } = month;
  const heldRecords = count.held;
  const records = action === "KEPT" ? count.records : count.records - count.held;
  const untilDay = count.untilDay ?? lastDayOf(month);
  return { table: table.name, month: month.month, action, records, heldRecords, untilDay };
}

/**
 * Detaches a whole month while everybody goes on reading and writing, and moves it out of reach. DETACH
 * CONCURRENTLY is several transactions: whatever state a crash leaves, the next run finishes it. Answers
 * whether the month is gone.
 */
export async function takeWhole(pass: Pass, month: Month): Promise<boolean> {
  await noteRewrite(pass, month, "detaching ");
  if (await detach(pass, month)) return settle(pass, month);
  await noteRewrite(pass, month, "");
  return false;
}

/** Whether the month is detached now; false when others hold their locks on its table. */
export async function detach(pass: Pass, month: Month): Promise<boolean> {
  const name = partitionName(month);
  const isDone = await patiently(pass, async () => {
    const { rows } = await pass.client.query<{ pending: boolean }>(
      "select inhdetachpending as pending from pg_inherits where inhrelid = to_regclass($1)",
      [name],
    );
    const [attached] = rows;
    if (attached === undefined) return true;
    const how = attached.pending ? "finalize" : "concurrently";
    await pass.client.query(`alter table ${month.table.name} detach partition ${name} ${how}`);
    return true;
  });
  return isDone ?? false;
}

/**
 * Moves a detached month out of reach. Nobody writes to it any more, so what is counted now is all there is:
 * with a record that is to stay after all, or a hold placed meanwhile, the month goes back. Answers
 * whether it is gone.
 */
export async function settle(pass: Pass, month: Month): Promise<boolean> {
  const { client } = pass;
  const isGone = await inTransaction(pass, async () => {
    await client.query(lockPartitions);
    await client.query(lockHolds);
    const name = partitionName(month);
    const count = await countRecords(client, month.table, name, pass.basis);
    const goesBack = count.expired < count.records || count.held > 0 || count.unplaced > 0;
    if (goesBack) {
      await attach(pass, month);
      await take(pass, stepOf(month, "KEPT", count));
    } else {
      await moveOut(pass, month, count);
    }
    await noteRewrite(pass, month, "");
    return !goesBack;
  });
  return isGone ?? false;
}

/**
 * Takes a month of which some records stay, being held or in force: those move into a partition of the same
 * month, in the transaction that detaches the old one, so that they are readable at their place all the time. It
 * shuts readers and writers of the table out for the moment of the exchange.
 */
export async function takeAside(pass: Pass, month: Month): Promise<void> {
  const { client, basis } = pass;
  const { table } = month;
  const name = partitionName(month);
  const [, plainName = ""] = name.split(".");
  await inTransaction(pass, async () => {
    await client.query(lockPartitions);
    await client.query(lockHolds);
    const count = await countRecords(client, table, name, basis);
    if (
      count.expired < count.records ||
      count.unplaced > 0 ||
      (count.held > 0 && count.held === count.records)
    ) {
      await take(pass, stepOf(month, "KEPT", count));
      return;
    }
    // With its rows and indexes before the exchange: that takes no longer for many rows than for few.
    await client.query(`create table ${name}_held
      (like ${table.name} including defaults including constraints including indexes)`);
    await client.query(`insert into ${name}_held select t.* from ${name} t where ${staysSql(table, basis)}`);
    await client.query(`alter table ${table.name} detach partition ${name}`);
    await moveOut(pass, month, count);
    await client.query(`alter table ${name}_held rename to ${plainName}`);
    await guard(pass, month);
    await attach(pass, month);
    await noteRewrite(pass, month, "");
  });
}

/** Attaches the month's table to its parent. */
export async function attach(pass: Pass, month: Month): Promise<void> {
  const name = partitionName(month);
  const from = textOfMicros(month.startMicros);
  const to = textOfMicros(month.endMicros);
  await pass.client.query(
    `alter table ${month.table.name} attach partition ${name} for values from ('${from}') to ('${to}')`,
  );
  // Row triggers come with attaching, but not always their ENABLE ALWAYS.
  await pass.client.query(`alter table ${name} enable always trigger append_only`);
}

/** A new partition's own TRUNCATE trigger: statement triggers are not inherited from the parent. */
export async function guard(pass: Pass, month: Month): Promise<void> {
  const name = partitionName(month);
  await pass.client.query(`create trigger no_truncate before truncate on ${name}
    for each statement execute function maintenance.refuse_truncate()`);
  await pass.client.query(`alter table ${name} enable always trigger no_truncate`);
}

/** Moves a detached month to the schema that nobody but the owner looks into, and tells it. */
async function moveOut(pass: Pass, month: Month, count: Count): Promise<void> {
  const { client } = pass;
  const { rows } = await client.query<{ name: string }>("select maintenance.move_out($1::regclass) as name", [
    partitionName(month),
  ]);
  const newName = rows[0]?.name;
  const step = stepOf(month, "DETACHED", count);
  await client.query(
    `insert into maintenance.detached_partition (name, run_id, table_name, month, records, retained_until, detached_at)
     values ($1, $2, $3, $4::date, $5::bigint, date '1970-01-01' + $6::int,
       timestamptz 'epoch' + $7::bigint * interval '1 microsecond')`,
    [newName, pass.runId, step.table, `${step.month}-01`, step.records, step.untilDay, pass.nowMicros],
  );
  await take(pass, step);
}
