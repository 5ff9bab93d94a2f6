import type pg from "pg";
import { dateArray, textArray, timestamptzArray } from "../../src/db/binaryArrays.ts";
import type { ActionRow } from "../../src/ledger/append.ts";
import { paramsJson, sessions, wallets } from "../payload.ts";

/**
 * The plainest table that holds what the ledger holds: the same columns, the same indexes, no partitions, no
 * triggers, and uniqueness by a primary key. It is kept from turn to turn, and so grows as the ledger does.
 */
export const plainActionTable = [
  `create table if not exists plain_action (
    accepted_at timestamptz not null,
    xid xid8 not null default pg_current_xact_id(),
    epoch int not null,
    ord int not null,
    retained_until date not null,
    session_seq bigint,
    occurred_at_ns bigint,
    record_id text collate "C" not null,
    event_id text collate "C" primary key,
    wallet text collate "C" not null,
    session_id text collate "C" not null,
    action_type text collate "C" not null,
    recorded_by text collate "C" not null,
    trace_id text collate "C",
    params_json text,
    inexact_json text
  )`,
  "create index if not exists plain_action_order on plain_action (epoch, xid, ord)",
  "create index if not exists plain_action_wallet on plain_action (lower(wallet), epoch, xid, ord)",
  "create index if not exists plain_action_session on plain_action (session_id, epoch, xid, ord)",
  "create index if not exists plain_action_trace on plain_action (trace_id, epoch, xid, ord) where trace_id is not null",
];

/** A pgbench script: one action, one commit. The values are spread as those of payload.ts are. */
export const plainActionScript = `
\\set wallet random(0, ${wallets - 1})
\\set session random(0, ${sessions - 1})
insert into plain_action (
  accepted_at, epoch, ord, retained_until, record_id, event_id, wallet, session_id, action_type, recorded_by,
  trace_id, params_json
) values (
  now(), 1, 0, '2033-05-09', replace(gen_random_uuid()::text, '-', ''), gen_random_uuid()::text,
  '0x' || lpad(to_hex(:wallet::int), 40, '0'), 'sess_' || lpad(to_hex(:session::int), 8, '0'), 'STRATEGY_START', 'bench',
  gen_random_uuid()::text, '${paramsJson}'
);
`;

/** The same rows as the ledger's, in one statement, as arrays too: the fastest plain insert there is. */
export async function insertActions(client: pg.Client, rows: readonly ActionRow[]): Promise<void> {
  await client.query({
    ...insertStatement,
    values: [
      timestamptzArray(rows.map((row) => row.acceptedMicros)),
      dateArray(rows.map((row) => row.retainedUntil)),
      textArray(rows.map((row) => row.recordId)),
      textArray(rows.map((row) => row.action.eventId)),
      textArray(rows.map((row) => row.action.wallet)),
      textArray(rows.map((row) => row.action.sessionId)),
      textArray(rows.map((row) => row.action.actionType)),
      textArray(rows.map((row) => row.recordedBy)),
      textArray(rows.map((row) => row.action.traceId)),
      textArray(rows.map((row) => row.action.params?.text ?? null)),
    ],
  });
}

const insertStatement = {
  name: "plain insert",
  text: `insert into plain_action (
      accepted_at, retained_until, record_id, event_id, wallet, session_id, action_type, recorded_by, trace_id,
      params_json, epoch, ord
    )
    select *, 1, 0 from unnest($1::timestamptz[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[],
      $7::text[], $8::text[], $9::text[], $10::text[])`,
};
