import { confirmationInForce, decisionInForce } from "./inForce.ts";
import type { Basis } from "./months.ts";
import { auditorRule, ledgerRule, type Rule } from "./rules.ts";

/** A table of records that the purge takes, a month at a time. Its rows are `t`, a hold is `h`. */
export type PurgedTable = {
  readonly name: string;
  readonly rule: Rule;
  /** The column of the time that the rule counts from. */
  readonly time: string;
  /** The column of the date that a record was promised; null where none is stored. */
  readonly promised: string | null;
  /** Whether its rows take a position in the log, (epoch, xid, ord). */
  readonly isLogged: boolean;
  /** Which holds can cover its rows: 'a' user activity, 'c' parameter changes. */
  readonly holds: "a" | "c";
  /** Whether the hold covers the row, as SQL. */
  readonly covered: string;
  /** Whether the row is still needed for what is in force, as SQL; null: none is. */
  readonly inForce: ((basis: Basis) => string) | null;
};

const timeIs = (column: string) =>
  `(h.from_at is null or ${column} >= h.from_at) and (h.to_at is null or ${column} < h.to_at)`;
const walletIs = (column: string) =>
  `(h.identity is null or lower(${column}) = h.wallet or ${column} = h.identity)`;
const sessionIs = (column: string) => `(h.session_id is null or ${column} = h.session_id)`;

const coveredAction = `${walletIs("t.wallet")} and ${sessionIs("t.session_id")} and ${timeIs("t.accepted_at")}`;

/** A fill is covered as itself, or with the action it is linked to, under either of its names. */
const coveredFill = `(
  (h.session_id is null and ${walletIs("t.wallet")} and ${timeIs("t.accepted_at")})
  or exists (
    select from ledger.fill_link l
    where l.fill_id in (select t.fill_id
        union all select a.fill_id from ledger.fill_alias a where a.made_fill_id = t.fill_id
        union all select a.made_fill_id from ledger.fill_alias a where a.fill_id = t.fill_id)
      and ${walletIs("l.wallet")} and ${sessionIs("l.session_id")}
      and ((${timeIs("l.action_accepted_at")}) or (${timeIs("t.accepted_at")}))))`;

/** A call that read is covered where it asked for what is held. */
const coveredCall = `(h.identity is null or position(h.wallet in lower(t.filters_json)) > 0
    or position(h.identity in t.filters_json) > 0 or t.mentions @> array[substr(h.wallet, 3)])
  and (h.session_id is null or position(to_json(h.session_id)::text in t.filters_json) > 0)
  and ${timeIs("t.at")}`;

const ledgerTable = {
  rule: ledgerRule,
  time: "accepted_at",
  promised: "retained_until",
  isLogged: true,
  holds: "a",
  inForce: null,
} as const;

const auditorTable = {
  rule: auditorRule,
  time: "accepted_at",
  promised: null,
  isLogged: true,
  holds: "c",
  covered: `(h.bot_key is null or t.bot_key = h.bot_key) and (h.param_key is null or t.param_key = h.param_key)
    and ${timeIs("t.accepted_at")}`,
  inForce: null,
} as const;

export const userActions: PurgedTable = {
  ...ledgerTable,
  name: "ledger.user_action",
  covered: coveredAction,
};

/** Links lie in their action's month, and may be kept longer than it. */
export const fillLinks: PurgedTable = {
  ...ledgerTable,
  name: "ledger.fill_link",
  time: "linked_at",
  covered: `${walletIs("t.wallet")} and ${sessionIs("t.session_id")}
    and ((${timeIs("t.action_accepted_at")}) or (${timeIs("t.linked_at")}))`,
};

/**
 * Partitioned by month, in the order in which the purge takes them: fills are covered by way of their links,
 * and no link is made any more once its action is gone.
 */
export const monthlyTables: readonly PurgedTable[] = [
  userActions,
  { ...ledgerTable, name: "ledger.fill_report", covered: coveredFill },
  { ...ledgerTable, name: "ledger.session_gap", covered: coveredAction },
  fillLinks,
  {
    ...ledgerTable,
    name: "access.read_log",
    time: "at",
    promised: null,
    isLogged: false,
    covered: coveredCall,
  },
  { ...auditorTable, name: "auditor.parameter_change", inForce: decisionInForce },
  { ...auditorTable, name: "auditor.ticket_recheck" },
  { ...auditorTable, name: "auditor.config_drift" },
  // A confirmation lies in its decision's month, and is held with it; it goes with it or later.
  {
    ...auditorTable,
    name: "auditor.confirmation",
    time: "kept_as_of",
    inForce: confirmationInForce,
    covered: `exists (select from auditor.parameter_change c
      where c.accepted_at = t.decided_at and c.record_id = t.decision_id
        and (h.bot_key is null or c.bot_key = h.bot_key) and (h.param_key is null or c.param_key = h.param_key)
        and ${timeIs("c.accepted_at")})`,
  },
];

/** Not partitioned: its rows go one by one. */
export const conflicts: PurgedTable = {
  ...ledgerTable,
  name: "ledger.conflict",
  isLogged: false,
  covered: coveredAction,
};

/** Whether any hold in force covers the row `t`, as SQL. */
export function heldSql(table: PurgedTable): string {
  return `exists (select from maintenance.hold_in_force h where h.kind = '${table.holds}' and ${table.covered})`;
}

/** Whether the row `t` stays though it is past its retention, as SQL. */
export function staysSql(table: PurgedTable, basis: Basis): string {
  return table.inForce === null ? heldSql(table) : `(${heldSql(table)} or ${table.inForce(basis)})`;
}

/** Whether the table has the row `t` too, where it lies elsewhere, as SQL. */
export function attachedSql(table: PurgedTable): string {
  const key = table.isLogged ? ["epoch", "xid", "ord"] : [table.time, "request_id"];
  return `exists (select from ${table.name} l where ${key.map((column) => `l.${column} = t.${column}`).join(" and ")})`;
}
