import type pg from "pg";
import type { Content } from "../load/history.ts";

/** A row of the database that holds a record, and its place in the log. */
export type Row = {
  readonly recordId: string;
  readonly content: Content;
  /** Grows with the log, also over its epochs; null while it has none. */
  readonly position: number | null;
};

/** Everything that is on record, by the ids that callers know. */
export type Records = {
  readonly actions: ReadonlyMap<string, readonly Row[]>;
  readonly conflicts: ReadonlyMap<string, readonly Row[]>;
  readonly fills: ReadonlyMap<string, readonly Row[]>;
  readonly decisions: readonly Row[];
  readonly confirmations: ReadonlyMap<string, readonly Row[]>;
  /** The record that an id stands for which was given to what turned out a repetition (R23). */
  readonly aliases: ReadonlyMap<string, string>;
  /** Records whose key was taken by other content: kept all the same, a decision without its write_id. */
  readonly conflicting: ReadonlySet<string>;
};

type Columns = Readonly<Record<string, string | number | null>>;

/** Reads the tables with plain SQL. */
export async function readRecords(client: pg.Client): Promise<Records> {
  const read = async (table: string, source: string | undefined, id: string, columns: readonly string[]) => {
    const position =
      source === undefined
        ? "null::int8 as position"
        : `(select e.epoch * 100000000::int8 + e.position from log.entry e where e.epoch = t.epoch and e.xid = t.xid and e.ord = t.ord
           and e.source = '${source}') as position`;
    const { rows } = await client.query<Columns>(
      `select ${id} as record_id, ${position}, ${columns.join(", ")} from ${table} t`,
    );
    return rows.map(
      (row): Row => ({
        recordId: String(row.record_id),
        position: row.position === null || row.position === undefined ? null : Number(row.position),
        content: Object.fromEntries(
          columns.map((name) => [name, row[name] === null ? null : String(row[name])]),
        ),
      }),
    );
  };
  const action = ["event_id", "wallet", "session_id", "action_type", "params_json", "trace_id"];
  const [actions, conflicts, fills, decisions, confirmations] = [
    await read("ledger.user_action", "a", "record_id", action),
    await read("ledger.conflict", undefined, "first_record_id", action),
    await read("ledger.fill_report", "f", "record_id", ["fill_id", "trace_id", "status", "size", "price"]),
    await read("auditor.parameter_change", "c", "record_id", [
      "bot_slug",
      "param_name",
      "old_value_json",
      "new_value_json",
      "editor_id",
      "write_id",
      "recorded_by",
    ]),
    await read("auditor.confirmation", "w", "decision_id", ["decision_id", "outcome"]),
  ];
  return {
    actions: grouped(actions, "event_id"),
    conflicts: grouped(conflicts, "event_id"),
    fills: grouped(fills, "fill_id"),
    decisions,
    confirmations: grouped(confirmations, "decision_id"),
    ...(await readSettled(client)),
  };
}

function grouped(rows: readonly Row[], column: string): ReadonlyMap<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const id = row.content[column] ?? "";
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [row]);
    else group.push(row);
  }
  return groups;
}

/** What became of records that were kept under a key that was taken by then. */
async function readSettled(client: pg.Client): Promise<Pick<Records, "aliases" | "conflicting">> {
  const { rows: tables } = await client.query(
    "select from pg_tables where schemaname = 'log' and tablename = 'settled'",
  );
  if (tables.length === 0) return { aliases: new Map(), conflicting: new Set() };
  const { rows } = await client.query<{ record_id: string; became: string; first_record_id: string }>(
    "select record_id, became, first_record_id from log.settled",
  );
  return {
    aliases: new Map(
      rows.filter(({ became }) => became === "FOLDED").map((row) => [row.record_id, row.first_record_id]),
    ),
    conflicting: new Set(rows.filter(({ became }) => became === "CONFLICT").map((row) => row.record_id)),
  };
}
