set local role governance_owner;

-- The committed records that have no position yet and whose transactions lie below p_below. Without a
-- search_path of its own, so that it is inlined into its caller's query.
create function log.unplaced(p_epoch int, p_from xid8, p_below xid8)
returns table (source "char", xid xid8, ord int, accepted_at timestamptz)
language sql stable as $$
  select 'a'::"char", xid, ord, accepted_at from ledger.user_action
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 'f'::"char", xid, ord, accepted_at from ledger.fill_report
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 'l'::"char", xid, ord, linked_at from ledger.fill_link
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 'g'::"char", xid, ord, accepted_at from ledger.session_gap
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 'c'::"char", xid, ord, accepted_at from auditor.parameter_change
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 't'::"char", xid, ord, checked_at from auditor.ticket_recheck
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 'w'::"char", xid, ord, confirmed_at from auditor.confirmation
    where epoch = p_epoch and xid >= p_from and xid < p_below
  union all
  select 'd'::"char", xid, ord, accepted_at from auditor.config_drift
    where epoch = p_epoch and xid >= p_from and xid < p_below
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
  v_cut xid8;
  v_placed int := 0;
begin
  select * into strict v_state from log.state;
  if v_state.horizon > pg_snapshot_xmax(pg_current_snapshot())
     or v_state.system_identifier <> (select system_identifier from pg_control_system()) then
    raise exception 'the log belongs to another cluster: its epoch must be renewed' using errcode = 'GV001';
  end if;
  -- Looking first keeps an idle log from writing: without rows there is nothing to move.
  if not exists (select 1 from log.unplaced(v_state.epoch, v_state.horizon, v_below)) then
    return query select v_state.epoch, v_state.next_position - 1, v_below::text, 0;
    return;
  end if;
  select * into strict v_state from log.state for update;
  v_below := pg_snapshot_xmin(pg_current_snapshot());
  select xid into v_cut from log.unplaced(v_state.epoch, v_state.horizon, v_below) order by xid offset p_limit limit 1;
  if found then
    -- A window ends between transactions, never inside one.
    v_below := least(v_below, (v_cut::text::numeric + 1)::text::xid8);
  end if;
  insert into log.entry (epoch, position, source, ord, xid, accepted_at)
    select v_state.epoch, v_state.next_position - 1 + row_number() over (order by xid, ord, source),
           source, ord, xid, accepted_at
    from log.unplaced(v_state.epoch, v_state.horizon, v_below);
  get diagnostics v_placed = row_count;
  update log.state set next_position = v_state.next_position + v_placed, horizon = v_below;
  return query select v_state.epoch, v_state.next_position + v_placed - 1, v_below::text, v_placed;
end $$;
grant execute on function log.advance to governance_writer;

reset role;
