set local role governance_owner;

-- More of what is on record becomes a source of the log, so that readers of the log are told of it at its
-- place: 'x' an event that was refused as a conflict, 'h' a legal hold and 'u' its release, 'p' the start of a
-- purge and 'e' its end, 's' the receipt of a scrub. What was on record before this migration gets no position:
-- it was no part of the log when its readers came past.
select log.make_source('ledger.conflict', 'x', 'accepted_at');

-- The tables of the other sources have no place in commit order yet. Of one transaction's rows, ord is any order.
create sequence log.minor_ord as int minvalue 0 cycle;

do $$
declare
  v record;
begin
  for v in select * from (values
    ('maintenance.legal_hold'::regclass, 'h'::"char", 'placed_at'),
    ('maintenance.legal_hold_release', 'u', 'released_at'),
    ('maintenance.purge_run', 'p', 'started_at'),
    ('maintenance.purge_end', 'e', 'ended_at'),
    ('ledger.erasure', 's', 'scrubbed_at')
  ) as t (name, source, time_column) loop
    execute format('alter table %s add column epoch int, add column xid xid8, add column ord int', v.name);
    execute format('alter table %s alter column epoch set default log.current_epoch(),
      alter column xid set default pg_current_xact_id(),
      alter column ord set default nextval(''log.minor_ord'')', v.name);
    execute format('create index on %s (epoch, xid, ord) where epoch is not null', v.name);
    perform log.make_source(v.name, v.source, v.time_column);
  end loop;
end $$;

create or replace function log.written_between(
  p_epoch int, p_from xid8, p_below xid8, out from_at timestamptz[], out to_at timestamptz[]
)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select array_agg(w.from_at order by s.nth), array_agg(w.to_at order by s.nth)
  from unnest('{a,f,l,g,c,t,w,d,r,x,h,u,p,e,s}'::"char"[]) with ordinality as s (source, nth)
  left join (
    select source, min(from_at) as from_at, max(to_at) as to_at from log.written
    where epoch = p_epoch and xid >= p_from and xid < p_below group by source
  ) w on w.source = s.source
$$;

-- The sources that are not partitioned are found by their index alone.
create or replace function log.unplaced(
  p_epoch int, p_from xid8, p_below xid8, p_from_at timestamptz[], p_to_at timestamptz[]
) returns table (source "char", xid xid8, ord int, accepted_at timestamptz)
language sql stable as $$
  select 'a'::"char", xid, ord, accepted_at from ledger.user_action
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[1] and p_to_at[1]
  union all
  select 'f'::"char", xid, ord, accepted_at from ledger.fill_report
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[2] and p_to_at[2]
  union all
  select 'l'::"char", xid, ord, linked_at from ledger.fill_link
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and action_accepted_at between p_from_at[3] and p_to_at[3]
  union all
  select 'g'::"char", xid, ord, accepted_at from ledger.session_gap
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[4] and p_to_at[4]
  union all
  select 'c'::"char", xid, ord, accepted_at from auditor.parameter_change
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[5] and p_to_at[5]
  union all
  select 't'::"char", xid, ord, checked_at from auditor.ticket_recheck
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[6] and p_to_at[6]
  union all
  select 'w'::"char", xid, ord, confirmed_at from auditor.confirmation
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and decided_at between p_from_at[7] and p_to_at[7]
  union all
  select 'd'::"char", xid, ord, accepted_at from auditor.config_drift
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[8] and p_to_at[8]
  union all
  select 'r'::"char", xid, ord, recorded_at from log.recovery
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and recorded_at between p_from_at[9] and p_to_at[9]
  union all
  select 'x'::"char", xid, ord, accepted_at from ledger.conflict
    where epoch = p_epoch and xid >= p_from and xid < p_below
      and accepted_at between p_from_at[10] and p_to_at[10]
  union all
  select 'h'::"char", xid, ord, placed_at from maintenance.legal_hold
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[11] is not null
  union all
  select 'u'::"char", xid, ord, released_at from maintenance.legal_hold_release
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[12] is not null
  union all
  select 'p'::"char", xid, ord, started_at from maintenance.purge_run
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[13] is not null
  union all
  select 'e'::"char", xid, ord, ended_at from maintenance.purge_end
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[14] is not null
  union all
  select 's'::"char", xid, ord, scrubbed_at from ledger.erasure
    where epoch = p_epoch and xid >= p_from and xid < p_below and p_from_at[15] is not null
$$;

-- As before, with the new sources in its windows.
create or replace function log.advance(p_limit int)
returns table (epoch int, head bigint, horizon text, placed int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_state log.state;
  v_below xid8 := pg_snapshot_xmin(pg_current_snapshot());
  v_from_at timestamptz[];
  v_to_at timestamptz[];
  v_placed int;
begin
  select * into strict v_state from log.state;
  if v_state.horizon > pg_snapshot_xmax(pg_current_snapshot())
     or v_state.system_identifier <> (select system_identifier from pg_control_system()) then
    raise exception 'the log belongs to another cluster: its epoch must be renewed' using errcode = 'GV001';
  end if;
  -- Looking first keeps an idle log from writing: without rows there is nothing to move.
  if not exists (
    select from log.written where epoch = v_state.epoch and xid >= v_state.horizon and xid < v_below
  ) then
    return query select v_state.epoch, v_state.next_position - 1, v_below::text, 0;
    return;
  end if;
  select * into strict v_state from log.state for update;
  v_below := pg_snapshot_xmin(pg_current_snapshot());
  v_below := log.window_end(v_state.epoch, v_state.horizon, v_below, '{a,f,l,g,c,t,w,d,r,x,h,u,p,e,s}', p_limit);
  select * into v_from_at, v_to_at from log.written_between(v_state.epoch, v_state.horizon, v_below);
  insert into log.entry (epoch, position, source, ord, xid, accepted_at)
    select v_state.epoch, v_state.next_position - 1 + row_number() over (order by xid, ord, source),
           source, ord, xid, accepted_at
    from log.unplaced(v_state.epoch, v_state.horizon, v_below, v_from_at, v_to_at);
  get diagnostics v_placed = row_count;
  update log.state set next_position = v_state.next_position + v_placed, horizon = v_below;
  return query select v_state.epoch, v_state.next_position + v_placed - 1, v_below::text, v_placed;
end $$;

reset role;
