-- serves-from: 0021
set local role governance_owner;

-- log.advance asks the sources itself. Of a function that is inlined into a query, Postgres learns that a table
-- changed only once the plan is made: a month that was attached meanwhile stayed unknown to that session, and its
-- records would have been passed over. What is named in the query itself is heard of at any time.
-- Moreover a window is as many records as were said to be written, or it is not taken at all.
do $$
declare
  v_rows text := (select prosrc from pg_proc where oid = 'log.unplaced'::regproc);
  v_was text := pg_get_functiondef('log.advance'::regproc);
  v_is text;
begin
  v_rows := regexp_replace(v_rows, '\mp_epoch\M', 'v_state.epoch', 'g');
  v_rows := regexp_replace(v_rows, '\mp_from\M', 'v_state.horizon', 'g');
  v_rows := regexp_replace(v_rows, '\mp_(below|from_at|to_at)\M', 'v_\1', 'g');
  v_is := replace(v_was, 'log.unplaced(v_state.epoch, v_state.horizon, v_below, v_from_at, v_to_at);',
    format('(%s) as unplaced (source, xid, ord, accepted_at);', v_rows));
  if v_is = v_was then raise exception 'log.advance does not read its sources as expected'; end if;
  v_was := v_is;
  v_is := replace(v_was, 'get diagnostics v_placed = row_count;', $new$get diagnostics v_placed = row_count;
  if v_placed <> (
    select coalesce(sum(records), 0) from log.written
    where epoch = v_state.epoch and xid >= v_state.horizon and xid < v_below
  ) then
    raise exception 'of the records below % not all are to be seen', v_below using errcode = 'GV004';
  end if;$new$);
  if v_is = v_was then raise exception 'log.advance does not count as expected'; end if;
  execute v_is;

  -- Nor does a new epoch begin without any of the records that it brings along.
  v_was := pg_get_functiondef('log.begin_epoch'::regproc);
  v_is := replace(v_was, '  delete from log.written where epoch <> v_epoch;', $new$  if (
    select coalesce(sum(records), 0) from log.written where epoch = v_epoch and xid < pg_current_xact_id()
  ) <> (
    select coalesce(sum(records), 0) from log.written where epoch = v_old.epoch and xid >= v_old.horizon
  ) then
    raise exception 'of the records without a position not all are to be seen' using errcode = 'GV004';
  end if;
  delete from log.written where epoch <> v_epoch;$new$);
  if v_is = v_was then raise exception 'log.begin_epoch does not forget the old epoch as expected'; end if;
  execute v_is;
end $$;

-- A transaction is seen as committed a moment before the others hear what it did to the tables. Whoever attaches a
-- month holds a lock until they have; log.follow, which counts nothing, waits for it. It is given back at once, with the
-- block that took it: whoever makes months never waits for the log.
create function log.wait_for_months() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('governance.months', 0));
  raise exception using errcode = 'GV005';
exception when sqlstate 'GV005' then null;
end $$;

do $$
declare
  v_patch record;
  v_was text;
  v_is text;
begin
  for v_patch in select * from (values
    ('log.follow'::regproc, 'select * into v_from_at, v_to_at from log.written_between(', 'log.wait_for_months()'),
    ('maintenance.ensure_month', 'execute format(''alter table %s attach partition',
      'pg_advisory_xact_lock(hashtextextended(''governance.months'', 0))')
  ) as t (name, before, waiting) loop
    v_was := pg_get_functiondef(v_patch.name);
    v_is := replace(v_was, v_patch.before, format(E'perform %s;\n  %s', v_patch.waiting, v_patch.before));
    if v_is = v_was then raise exception '% is not as expected', v_patch.name; end if;
    execute v_is;
  end loop;
end $$;

reset role;
