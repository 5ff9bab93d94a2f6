set local role governance_owner;

-- Records what follows from committed records: links of fills to actions, gaps in sessions. It reads the
-- log in order and one caller at a time, so that whatever order records arrive in, and however their
-- transactions overlap, none misses another. p_horizon is what log.advance answered: an idle log does not
-- write it down. Answers one row of kind 'followed' with the horizon below which everything is done and the
-- last transaction that noticed anything (whose records a reader has only once the log has come beyond it),
-- and one for each thing that was noticed.
create function log.follow(p_limit int, p_horizon xid8, p_at timestamptz)
returns table (kind text, horizon text, noticed text, event_id text, session_id text, fill_id text, opened text, closed text, missing text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_state log.state;
  v_below xid8;
  v_from_at timestamptz[];
  v_to_at timestamptz[];
  v_noticed int := 0;
  v_rows int;
begin
  select * into strict v_state from log.state;
  if v_state.followed = v_state.horizon then
    return query select 'followed', greatest(v_state.followed, p_horizon)::text, v_state.noticed::text,
      null, null, null, null, null, null;
    return;
  end if;
  select * into strict v_state from log.state for update;
  v_below := log.window_end(v_state.epoch, v_state.followed, v_state.horizon, '{a,f}', p_limit);
  select * into v_from_at, v_to_at from log.written_between(v_state.epoch, v_state.followed, v_below);
  return query select 'linked', null, null, l.event_id, l.session_id, l.fill_id, null, null, null
    from ledger.link(v_state.epoch, v_state.followed, v_below,
      v_from_at[1], v_to_at[1], v_from_at[2], v_to_at[2], p_at) l;
  get diagnostics v_noticed = row_count;
  return query select 'gap', null, null, null, g.session_id, null, g.opened, g.closed, g.missing
    from ledger.note_gaps(v_state.epoch, v_state.followed, v_below, v_from_at[1], v_to_at[1], p_at) g;
  get diagnostics v_rows = row_count;
  -- What was noticed is on record for ever once a reader has seen it; without any, a step that a crash
  -- undoes is taken again with the same result, and need not wait for the disk.
  if v_noticed + v_rows > 0 then
    perform set_config('synchronous_commit', 'on', true);
    v_state.noticed := pg_current_xact_id();
  end if;
  delete from log.written where xid < v_below;
  update log.state set followed = v_below, noticed = v_state.noticed;
  if v_below = v_state.horizon then v_below := greatest(v_below, p_horizon); end if;
  return query select 'followed', v_below::text, v_state.noticed::text, null, null, null, null, null, null;
end $$;
grant execute on function log.follow to governance_writer;

reset role;
