import type pg from "pg";
import type { TicketQuestion } from "./system.ts";

/** A write that was let through with a ticket nobody could check in time. */
export type Pending = TicketQuestion & { readonly decisionId: string; readonly automated: boolean };

/** What came out of asking again. */
export type Recheck = Pending & {
  readonly recordId: string;
  readonly checkedMicros: number;
  readonly status: "VALID" | "INVALID" | "UNKNOWN";
  /** Why it is not valid, or not known. */
  readonly why: string | null;
};

const pendingMax = 100;

/** Runs `use` unless another replica does; answers true when it does. */
export async function inTurn(
  pool: pg.Pool,
  use: (client: pg.PoolClient) => Promise<boolean>,
): Promise<boolean> {
  const client = await pool.connect();
  // While no statement is under way a lost connection reports here; the next statement fails with it.
  const ignore = () => undefined;
  client.on("error", ignore);
  let isDone = false;
  try {
    // The session's and not a transaction's: none may be open for as long as a ticket system takes.
    const turn = "hashtextextended('governance.ticket_rechecks', 0)";
    const { rows } = await client.query<{ mine: boolean }>(`select pg_try_advisory_lock(${turn}) as mine`);
    const result = rows[0]?.mine === true ? await use(client) : true;
    if (rows[0]?.mine === true) await client.query(`select pg_advisory_unlock(${turn})`);
    isDone = true;
    return result;
  } finally {
    client.off("error", ignore);
    client.release(!isDone); // Closed where something failed, which gives the turn back.
  }
}

/** Some of the writes whose tickets are still to be asked about; another time others, so that none is stuck behind one. */
export async function readPending(client: pg.ClientBase): Promise<readonly Pending[]> {
  type Row = {
    record_id: string;
    accepted_micros: string;
    bot_slug: string;
    param_name: string;
    bot_key: string;
    param_key: string;
    ticket_ref: string;
    automated: boolean;
  };
  const { rows } = await client.query<Row>({
    name: "tickets.pending",
    text: `select c.record_id, (extract(epoch from c.accepted_at) * 1000000)::bigint::text as accepted_micros,
             c.bot_slug, c.param_name, c.bot_key, c.param_key, c.ticket_ref, c.automated
           from auditor.parameter_change c
           where c.ticket_status = 'UNVERIFIED' and c.allowed and not exists (
             select from auditor.ticket_recheck r
             where r.accepted_at = c.accepted_at and r.decision_id = c.record_id)
           order by random() limit $1`,
    values: [pendingMax],
  });
  return rows.map((row) => ({
    decisionId: row.record_id,
    acceptedMicros: Number(row.accepted_micros),
    botSlug: row.bot_slug,
    paramName: row.param_name,
    botKey: row.bot_key,
    paramKey: row.param_key,
    ticketRef: row.ticket_ref,
    automated: row.automated,
  }));
}

/** Puts the outcome on record; false when one is there already. */
export async function storeRecheck(pool: pg.Pool, recheck: Recheck): Promise<boolean> {
  const micros = (parameter: string) =>
    `timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond'`;
  const { rowCount } = await pool.query({
    name: "tickets.settle",
    text: `insert into auditor.ticket_recheck (
             accepted_at, checked_at, epoch, ord, record_id, decision_id, bot_key, param_key, status, why)
           values (${micros("$1")}, ${micros("$2")}, log.current_epoch(), 0, $3, $4, $5, $6, $7, $8)
           on conflict do nothing`,
    values: [
      recheck.acceptedMicros,
      recheck.checkedMicros,
      recheck.recordId,
      recheck.decisionId,
      recheck.botKey,
      recheck.paramKey,
      recheck.status,
      recheck.why,
    ],
  });
  return rowCount === 1;
}
