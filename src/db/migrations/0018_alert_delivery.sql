set local role governance_owner;

-- Which alerts each receiver has. A row is an id of a record, never text of anybody's.
create table log.alert_delivery (
  receiver text collate "C" not null,
  reason_code text collate "C" not null,
  dedupe_key text collate "C" not null,
  delivered_at timestamptz not null default now(),
  primary key (receiver, dedupe_key, reason_code)
);
select maintenance.make_append_only('log.alert_delivery');
grant select, insert on log.alert_delivery to governance_writer;

-- How far into the log each receiver has every alert. Not a record: it moves.
create table log.alert_cursor (
  receiver text collate "C" primary key,
  epoch int not null,
  position bigint not null,
  moved_at timestamptz not null default now()
);
grant select, insert, update on log.alert_cursor to governance_writer;

-- Kill switches are few among very many actions, and looked for in all of the log.
create index user_action_kill_switch on ledger.user_action (epoch, xid, ord) where action_type = 'KILL_SWITCH';

-- How far the log is behind what is committed: the records without a position, and the oldest transaction of theirs.
create function log.behind(out records bigint, out oldest xid8)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(w.records), 0)::bigint, (array_agg(w.xid order by w.xid))[1]
  from log.state s left join log.written w on w.epoch = s.epoch and w.xid >= s.horizon
$$;
grant execute on function log.behind() to governance_writer;

reset role;
