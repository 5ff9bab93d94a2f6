set local role governance_owner;

-- Between which times the records lie that the transactions [p_from, p_below) wrote: one range a source, in
-- the order of log.unplaced; null where there are none.
create function log.written_between(
  p_epoch int, p_from xid8, p_below xid8, out from_at timestamptz[], out to_at timestamptz[]
)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select array_agg(w.from_at order by s.nth), array_agg(w.to_at order by s.nth)
  from unnest('{a,f,l,g,c,t,w,d}'::"char"[]) with ordinality as s (source, nth)
  left join (
    select source, min(from_at) as from_at, max(to_at) as to_at from log.written
    where epoch = p_epoch and xid >= p_from and xid < p_below group by source
  ) w on w.source = s.source
$$;

-- The committed records of the transactions [p_from, p_below). The times let it look into the months alone
-- where they lie: over years of partitions, looking takes longer than reading. Without a search_path of its
-- own, so that it is inlined into its caller's query.
create function log.unplaced(
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
$$;

-- The end of the window from p_from on that holds p_limit records of these sources, or the few more that
-- the last of its transactions wrote: a window ends between transactions, never inside one.
create function log.window_end(p_epoch int, p_from xid8, p_below xid8, p_sources "char"[], p_limit int) returns xid8
language sql stable set search_path = pg_catalog, pg_temp as $$
  select coalesce((
    select (xid::text::numeric + 1)::text::xid8 from (
      select xid, sum(records) over (order by xid) as total from log.written
      where epoch = p_epoch and xid >= p_from and xid < p_below and source = any (p_sources)
    ) w where total > p_limit order by xid limit 1), p_below)
$$;

-- Gives positions to committed records, in commit order. Whoever is below the snapshot's xmin is
-- finished, so the window [horizon, xmin) can grow no more rows: nothing is ever skipped. The locked
-- state row lets one caller at a time through, whoever leads. Positions depend on committed rows
-- alone, so losing this transaction in a crash loses nothing: the next run gives the same ones, and
-- the caller may commit it with synchronous_commit off.
-- Answers the epoch, the last position given, and the horizon below which everything has one.
create function log.advance(p_limit int)
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
  v_below := log.window_end(v_state.epoch, v_state.horizon, v_below, '{a,f,l,g,c,t,w,d}', p_limit);
  select * into v_from_at, v_to_at from log.written_between(v_state.epoch, v_state.horizon, v_below);
  insert into log.entry (epoch, position, source, ord, xid, accepted_at)
    select v_state.epoch, v_state.next_position - 1 + row_number() over (order by xid, ord, source),
           source, ord, xid, accepted_at
    from log.unplaced(v_state.epoch, v_state.horizon, v_below, v_from_at, v_to_at);
  get diagnostics v_placed = row_count;
  update log.state set next_position = v_state.next_position + v_placed, horizon = v_below;
  return query select v_state.epoch, v_state.next_position + v_placed - 1, v_below::text, v_placed;
end $$;
grant execute on function log.advance to governance_writer;

reset role;
