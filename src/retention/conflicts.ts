import { lockHolds } from "./holds.ts";
import { expiredSql, expiryValues } from "./months.ts";
import { inTransaction, type Pass, take } from "./pass.ts";
import { conflicts, heldSql } from "./tables.ts";

/**
 * Refused events (R9) are few and lie in one table: those past their retention are deleted one by one, but
 * for the held ones.
 */
export async function purgeConflicts(pass: Pass): Promise<void> {
  const { client, basis, isDry } = pass;
  const { name, rule, time } = conflicts;
  const values = expiryValues(conflicts, basis);
  const expired = expiredSql(conflicts);
  const held = heldSql(conflicts);
  await inTransaction(pass, async () => {
    if (!isDry) await client.query(lockHolds);
    type Row = {
      month: string;
      span: number;
      promised: number;
      last_micros: string;
      gone: number;
      held: number;
    };
    const { rows } = await client.query<Row>(
      `select to_char(t.${time} at time zone 'UTC', 'YYYY-MM') as month,
         width_bucket(t.${time}, $1::timestamptz[]) as span, max(t.retained_until) - date '1970-01-01' as promised,
         (extract(epoch from max(t.${time})) * 1000000)::bigint::text as last_micros,
         count(*) filter (where not ${held})::int as gone, count(*) filter (where ${held})::int as held
       from ${name} t where ${expired} group by 1, 2 order by 1, 2`,
      values,
    );
    if (!isDry && rows.some(({ gone }) => gone > 0)) {
      await client.query("set local governance.maintenance = 'on'");
      await client.query(`delete from ${name} t where ${expired} and not ${held}`, values);
    }
    const { days } = basis.spansOf(rule);
    for (const row of rows) {
      const untilDay = Math.max(row.promised, rule.untilDay(Number(row.last_micros), days[row.span] ?? 0));
      const told = { table: name, month: row.month, heldRecords: row.held, untilDay };
      if (row.gone > 0) await take(pass, { ...told, action: "DROPPED", records: row.gone });
      else await take(pass, { ...told, action: "KEPT", records: row.held });
    }
  });
}
