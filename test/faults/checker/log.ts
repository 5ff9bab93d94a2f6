import type pg from "pg";
import type { Finding } from "./findings.ts";

/** Tables of records, and the letter of the log that stands for each. */
const sources = [
  ["a", "ledger.user_action"],
  ["f", "ledger.fill_report"],
  ["l", "ledger.fill_link"],
  ["g", "ledger.session_gap"],
  ["c", "auditor.parameter_change"],
  ["w", "auditor.confirmation"],
  ["d", "auditor.config_drift"],
  ["t", "auditor.ticket_recheck"],
  ["r", "log.recovery"],
  ["x", "ledger.conflict"],
  ["h", "maintenance.legal_hold"],
  ["u", "maintenance.legal_hold_release"],
  ["p", "maintenance.purge_run"],
  ["e", "maintenance.purge_end"],
  ["s", "ledger.erasure"],
  ["b", "auditor.break_glass_review"],
  ["n", "maintenance.floor_notice"],
] as const;

/** Positions are 1, 2, 3 … in each epoch, every record has exactly one, and every position is a record's. */
export async function checkLog(client: pg.Client): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const { rows } = await client.query<{
    epoch: number;
    entries: string;
    distinct: string;
    first: string;
    last: string;
  }>(
    `select epoch, count(*) as entries, count(distinct position) as distinct, min(position) as first, max(position) as last
     from log.entry group by epoch`,
  );
  for (const { epoch, entries, distinct, first, last } of rows) {
    if (entries === last && distinct === entries && first === "1") continue;
    const text = `epoch ${epoch} has ${entries} entries, ${distinct} positions from ${first} to ${last}`;
    findings.push({ kind: "log", text });
  }
  const { rows: unknown } = await client.query<{ source: string; entries: string }>(
    'select source, count(*) as entries from log.entry where source <> all ($1::"char"[]) group by source',
    [sources.map(([source]) => source)],
  );
  for (const { source, entries } of unknown) {
    findings.push({ kind: "log", text: `${entries} entries are of ${source}, which is no source` });
  }
  for (const [source, table] of sources) {
    // An older build may not have it, or not as a source.
    const { rows: isSource } = await client.query(
      "select from pg_attribute where attrelid = to_regclass($1) and attname = 'epoch'",
      [table],
    );
    if (isSource.length === 0) continue;
    const { rows: counted } = await client.query<{
      records: string;
      once: string;
      entries: string;
      unordered: string;
    }>(
      `with placed as (
         select t.epoch, t.xid, t.ord, count(e.position) as positions, min(e.position) as position
         from ${table} t
         left join log.entry e on e.epoch = t.epoch and e.xid = t.xid and e.ord = t.ord and e.source = '${source}'
         group by 1, 2, 3)
       select (select count(*) from ${table}) as records, count(*) filter (where positions = 1) as once,
         (select count(*) from log.entry where source = '${source}') as entries,
         (select count(*) from (select position < lag(position) over (partition by epoch order by xid, ord) as back from placed) p where back)
           as unordered
       from placed`,
    );
    const [count] = counted;
    if (count === undefined) continue;
    if (count.records !== count.once || count.records !== count.entries) {
      const text = `${table}: ${count.records} records, ${count.once} with one position, ${count.entries} entries`;
      findings.push({ kind: "log", text });
    }
    if (count.unordered !== "0") {
      findings.push({ kind: "log", text: `${table}: ${count.unordered} positions against commit order` });
    }
  }
  return findings;
}

/** A fill and an action of one trace, both on record, are linked exactly once (R15). */
export async function checkLinks(client: pg.Client): Promise<readonly Finding[]> {
  const { rows } = await client.query<{ missing: string }>(
    `select count(*) as missing from (
       select distinct a.event_id, f.fill_id from ledger.user_action a join ledger.fill_report f on f.trace_id = a.trace_id
       except select event_id, fill_id from ledger.fill_link) m`,
  );
  const missing = rows[0]?.missing ?? "0";
  return missing === "0" ? [] : [{ kind: "lost", text: `${missing} links of fills to actions are missing` }];
}
