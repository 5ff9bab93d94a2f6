import { textOfMicros } from "../time.ts";
import type { Basis } from "./months.ts";
import { auditorRule, keptFromMicros } from "./rules.ts";

/**
 * Writes outlive the purge while they say what a parameter's value was at a time that history is kept for (R3): else
 * a bot's configuration would fade away as its parameters get old, and be reported as drift. That is the last of
 * the writes that are past their retention, by environment as ReconcileConfig takes them.
 */

const isAborted = (row: string) => `exists (select from auditor.confirmation w
  where w.decided_at = ${row}.accepted_at and w.decision_id = ${row}.record_id and w.outcome = 'ABORTED')`;

const sameParameter = (row: string, other: string) =>
  `${other}.bot_key = ${row}.bot_key and ${other}.param_key = ${row}.param_key and ${other}.allowed`;

/** Whether the write `row` is such a one, as SQL. */
function stillInForce(row: string, basis: Basis): string {
  const { days } = basis.spansOf(auditorRule);
  // By the longest retention of any time: what replaces the write is past its own for certain.
  const pastBefore = textOfMicros(keptFromMicros(auditorRule, Math.max(...days), basis.todayDay));
  // The day is for the index of as few months as can be; who comes late from a spool only keeps more.
  return `(${row}.allowed and not ${isAborted(row)}
    and not exists (select from auditor.parameter_change c where ${sameParameter(row, "c")}
      and (c.epoch, c.xid, c.ord) > (${row}.epoch, ${row}.xid, ${row}.ord)
      and c.accepted_at >= ${row}.accepted_at - interval '1 day' and c.accepted_at < '${pastBefore}'
      and (c.environment is null or c.environment = ${row}.environment) and not ${isAborted("c")})
    and (${row}.new_value_json is not null
      -- A removal, while there is an older value that would come back without it.
      or exists (select from auditor.parameter_change o where ${sameParameter(row, "o")}
        and (o.epoch, o.xid, o.ord) < (${row}.epoch, ${row}.xid, ${row}.ord))))`;
}

/** Of `t` in auditor.parameter_change. */
export const decisionInForce = (basis: Basis): string => stillInForce("t", basis);

/** Of `t` in auditor.confirmation: it stays with its decision. */
export const confirmationInForce = (basis: Basis): string =>
  `exists (select from auditor.parameter_change d
    where d.accepted_at = t.decided_at and d.record_id = t.decision_id and ${stillInForce("d", basis)})`;
