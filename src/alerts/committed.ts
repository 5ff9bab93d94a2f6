import type pg from "pg";
import { isBot } from "../journal/spool/schema.ts";
import { type Alert, identityOf } from "./alert.ts";
import { damageAlert, decisionAlert, killSwitchAlert, outageAlert, recheckAlert, toldOf } from "./raised.ts";

/** A place in the log. */
export type Place = { readonly epoch: number; readonly position: number };

/** An alert that is on record, and where. */
export type CommittedAlert = { readonly alert: Alert; readonly position: number };

/** A stretch of the log of one epoch: up to and with `to`. */
export type Stretch = { readonly to: Place; readonly alerts: readonly CommittedAlert[] };

/** Records looked through in one go. Those nobody is alerted of are passed over by indexes. */
const stretchRecords = 10_000;

export async function readHead(client: pg.ClientBase): Promise<Place> {
  const { rows } = await client.query<{ epoch: number; position: string }>({
    name: "alerts.head",
    text: "select epoch, (next_position - 1)::text as position from log.state",
  });
  const [row] = rows;
  if (row === undefined) throw new Error("log.state has no row");
  return { epoch: row.epoch, position: Number(row.position) };
}

/** Where the receiver is in the log; one that is new begins at `head`, and is told nothing of what was before. */
export async function readCursor(client: pg.ClientBase, receiver: string, head: Place): Promise<Place> {
  const { rows } = await client.query<{ epoch: number; position: string }>({
    name: "alerts.cursor",
    text: `with begun as (
        insert into log.alert_cursor (receiver, epoch, position) values ($1, $2, $3) on conflict do nothing
        returning epoch, position)
      select epoch, position::text as position from begun
      union all select epoch, position::text from log.alert_cursor where receiver = $1`,
    values: [receiver, head.epoch, head.position],
  });
  const [row] = rows;
  return row === undefined ? head : { epoch: row.epoch, position: Number(row.position) };
}

export async function moveCursor(client: pg.ClientBase, receiver: string, to: Place): Promise<void> {
  await client.query({
    name: "alerts.move",
    text: "update log.alert_cursor set epoch = $2, position = $3, moved_at = now() where receiver = $1",
    values: [receiver, to.epoch, to.position],
  });
}

/** Notes that the receiver has the alerts. */
export async function noteDelivered(
  client: pg.ClientBase,
  receiver: string,
  alerts: readonly Alert[],
): Promise<void> {
  await client.query({
    name: "alerts.delivered",
    text: `insert into log.alert_delivery (receiver, reason_code, dedupe_key)
      select $1, reason_code, dedupe_key from unnest($2::text[], $3::text[]) as t (reason_code, dedupe_key)
      on conflict do nothing`,
    values: [receiver, alerts.map((alert) => alert.reasonCode), alerts.map((alert) => alert.key)],
  });
}

/** Those of the alerts that the receiver is not known to have. */
export async function undelivered(
  client: pg.ClientBase,
  receiver: string,
  alerts: readonly CommittedAlert[],
): Promise<readonly CommittedAlert[]> {
  if (alerts.length === 0) return alerts;
  const { rows } = await client.query<{ reason_code: Alert["reasonCode"]; dedupe_key: string }>({
    name: "alerts.undelivered",
    text: `select reason_code, dedupe_key from log.alert_delivery
      where receiver = $1 and dedupe_key = any($2::text[])`,
    values: [receiver, alerts.map(({ alert }) => alert.key)],
  });
  const delivered = new Set(
    rows.map((row) => identityOf({ reasonCode: row.reason_code, key: row.dedupe_key })),
  );
  return alerts.filter(({ alert }) => !delivered.has(identityOf(alert)));
}

/** The next stretch of the log behind `after`, up to `upTo`; undefined when there is nothing. */
export async function readStretch(
  client: pg.ClientBase,
  after: Place,
  upTo: Place,
  alertOnP0Change: boolean,
): Promise<Stretch | undefined> {
  const bounds = await client.query<{
    epoch: number;
    first: string;
    last: string;
    low: string;
    high: string;
  }>({
    name: "alerts.stretch",
    text: `with first as (
        select epoch, position, xid from log.entry
        where (epoch, position) > ($1::int, $2::bigint) and (epoch, position) <= ($3::int, $4::bigint)
        order by epoch, position limit 1)
      select f.epoch, f.position::text as first, l.position::text as last, f.xid::text as low, l.xid::text as high
      from first f cross join lateral (
        select e.position, e.xid from log.entry e
        where e.epoch = f.epoch and e.position < f.position + $5::int
          and (e.epoch, e.position) <= ($3::int, $4::bigint)
        order by e.position desc limit 1) l`,
    values: [after.epoch, after.position, upTo.epoch, upTo.position, stretchRecords],
  });
  const [found] = bounds.rows;
  if (found === undefined) return undefined;
  const { rows } = await client.query<Row>({
    name: "alerts.committed",
    text: committed,
    values: [found.epoch, found.low, found.high, found.first, found.last],
  });
  const alerts = rows.flatMap((row) =>
    alertsOf(row, alertOnP0Change).map((alert) => ({ alert, position: Number(row.position) })),
  );
  return { to: { epoch: found.epoch, position: Number(found.last) }, alerts };
}

type Row = {
  position: string;
  source: "a" | "c" | "t" | "r";
  id: string;
  micros: string;
  bot: string | null;
  param_name: string | null;
  param_tier: string | null;
  allowed: boolean | null;
  automated: boolean | null;
  reason_code: string | null;
  lost: string | null;
};

const micros = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint::text`;
const within = (source: string) => `join log.entry e on e.epoch = t.epoch and e.xid = t.xid and e.ord = t.ord
    and e.source = '${source}' and e.position between $4::bigint and $5::bigint
  where t.epoch = $1::int and t.xid >= $2::text::xid8 and t.xid <= $3::text::xid8`;

/** What may be an alert of each kind of record. */
const committed = `
  select e.position::text as position, e.source::text as source, t.record_id as id, ${micros("t.accepted_at")} as micros,
    null as bot, null as param_name, null as param_tier, null::boolean as allowed, null::boolean as automated,
    null as reason_code, null as lost
  from ledger.user_action t ${within("a")} and t.action_type = 'KILL_SWITCH'
  union all
  select e.position::text, e.source::text, t.record_id, ${micros("t.accepted_at")}, t.bot_slug, t.param_name,
    t.param_tier, t.allowed, t.automated, t.reason_code, null
  from auditor.parameter_change t ${within("c")} and (t.param_tier in ('P0', 'P1')
    or t.reason_code in ('BREAK_GLASS_USED', 'AUDIT_TICKET_REQUIRED', 'AUDIT_TICKET_INVALID'))
  union all
  select e.position::text, e.source::text, t.decision_id, ${micros("t.checked_at")}, c.bot_slug, c.param_name,
    null, null, c.automated, null, null
  from auditor.ticket_recheck t
    left join auditor.parameter_change c on c.accepted_at = t.accepted_at and c.record_id = t.decision_id
    ${within("t")} and t.status = 'INVALID'
  union all
  select e.position::text, e.source::text, t.record_id, ${micros("t.from_at")}, t.bot, null, null, null, null, null,
    coalesce(t.lost::text, 'unknown')
  from log.recovery t ${within("r")}`;

function alertsOf(row: Row, alertOnP0Change: boolean): readonly Alert[] {
  const { id } = row;
  const atMicros = Number(row.micros);
  switch (row.source) {
    case "a":
      return [killSwitchAlert(id, atMicros)];
    case "r": {
      const outage = isBot(row.bot) ? [outageAlert(row.bot, atMicros, id)] : [];
      return row.lost === "0" ? outage : [...outage, damageAlert(atMicros, id)];
    }
    case "t": {
      if (row.automated) return [];
      const about = { decisionId: id, botSlug: row.bot ?? "", paramName: row.param_name ?? "" };
      return [recheckAlert({ ...about, checkedMicros: atMicros })];
    }
    case "c": {
      const decided = {
        decisionId: id,
        acceptedMicros: atMicros,
        botSlug: row.bot ?? "",
        paramName: row.param_name ?? "",
        tier: row.param_tier ?? "",
        allowed: row.allowed ?? false,
        automated: row.automated ?? false,
        reasonCode: row.reason_code ?? "",
      };
      return toldOf(decided, alertOnP0Change)
        .filter(({ page }) => page)
        .map(({ reasonCode }) => decisionAlert(reasonCode, decided));
    }
  }
}
