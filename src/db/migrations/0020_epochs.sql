set local role governance_owner;

-- Positions follow transaction ids, and these go on from record to record in one life of one cluster alone. A dump
-- restored elsewhere meets ids that are lower; a copy from an earlier moment gives the same ids to other records. So
-- the log remembers where it was written, and goes on in a new epoch where that is somewhere else by now.
alter table log.state add column table_id oid, add column timeline int;

-- Each epoch, and what the one before it came to: a position behind that was given in a life that is not this one.
create table log.epoch (
  epoch int primary key,
  began_at timestamptz not null default clock_timestamp(),
  why text not null check (why in ('first', 'restored', 'promoted', 'asked')),
  previous_epoch int,
  previous_position bigint,
  -- Records on record before it that had no position yet: they are its first.
  brought_along bigint not null default 0
);
insert into log.epoch (epoch, why) select epoch, 'first' from log.state;
select maintenance.make_append_only('log.epoch');
grant select on log.epoch to governance_writer;

-- The timeline that is written now; null on a standby, and where a Postgres of another make does not tell.
create function log.timeline() returns int
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if pg_is_in_recovery() then return null; end if;
  return ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int;
exception when feature_not_supported or insufficient_privilege or undefined_function then
  return null;
end $$;

update log.state set table_id = 'log.state'::regclass, timeline = log.timeline();
alter table log.state alter column table_id set not null;

-- What became of the database since its epoch began, null for nothing: 'restored' from a dump, into another cluster or
-- this one; 'promoted', a standby or a backup of the cluster, which may be as it was at an earlier moment.
-- A table that was restored has another oid, a cluster that was made another identifier.
create function log.moved(p_state log.state) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when p_state.horizon > pg_snapshot_xmax(pg_current_snapshot())
      or p_state.table_id <> 'log.state'::regclass
      or p_state.system_identifier <> (select system_identifier from pg_control_system()) then 'restored'
    when p_state.timeline <> log.timeline() then 'promoted'
  end
$$;
create function log.moved() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as 'select log.moved(s) from log.state s';
grant execute on function log.moved() to governance_writer;

-- The epoch that rows are written under, for the rest of the transaction: none begins before its end. Volatile, so
-- that the state is read after the lock was waited for.
create or replace function log.current_epoch() returns int
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_state log.state;
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('governance.epoch', 0));
  select * into strict v_state from log.state;
  -- Ids below the horizon have their positions: a writer that a restored database was put under writes nothing. A
  -- session has one cluster to its end: looking into its control file takes longer than all else.
  if current_setting('governance.cluster', true) is distinct from v_state.system_identifier::text then
    perform set_config('governance.cluster', (select system_identifier::text from pg_control_system()), false);
  end if;
  if v_state.horizon > pg_current_xact_id()
    or v_state.system_identifier::text <> current_setting('governance.cluster') then
    raise exception 'the log''s database was restored: a new epoch has to begin' using errcode = 'GV001';
  end if;
  return v_state.epoch;
end $$;

-- What follows from records of an older epoch is put on record in the current one.
do $$
declare
  v_function regproc;
begin
  foreach v_function in array '{ledger.link,ledger.note_gaps}'::regproc[] loop
    execute replace(pg_get_functiondef(v_function),
      'p_at, p_epoch, row_number()', 'p_at, (select log.current_epoch()), row_number()');
  end loop;
end $$;

-- Begins a new epoch, unless p_epoch is no longer the log's. What has a position keeps it; what has none yet is taken
-- as written by transactions before all that write in the new one (ids that are over, and free in this epoch), in the
-- order in which it was; by a few hundred, so that the log takes it in steps. Nobody writes meanwhile: each writer holds
-- the lock from its reading of the epoch to its commit. Numbers are minutes since 1970: two lives that come out of one
-- backup do not call different epochs the same.
create function log.begin_epoch(p_epoch int, p_why text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- As in ledger.link: after a restore there are no statistics at all.
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  v_old log.state;
  v_epoch int;
  v_first xid8; -- Of 512; a cluster has had more before its first database.
  v_each bigint; -- Records for each of them.
  v_from_at timestamptz[];
  v_to_at timestamptz[];
  v_at timestamptz := clock_timestamp();
  v_noticed bigint;
  v_rows bigint;
begin
  perform set_config('synchronous_commit', 'on', true), set_config('governance.maintenance', 'on', true);
  select * into strict v_old from log.state for update;
  if v_old.epoch <> p_epoch then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('governance.epoch', 0));
  v_first := (pg_snapshot_xmin(pg_current_snapshot())::text::numeric - 512)::text::xid8;
  select greatest(10000, sum(records) / 500) into v_each
    from log.written where epoch = v_old.epoch and xid >= v_old.horizon;
  v_epoch := greatest(v_old.epoch + 1, floor(extract(epoch from v_at) / 60)::int);
  update log.state set epoch = v_epoch, next_position = 1, noticed = '0', horizon = v_first, followed = v_first,
    system_identifier = (select c.system_identifier from pg_control_system() c),
    table_id = 'log.state'::regclass, timeline = log.timeline();

  -- What follows from records that have their position, and was not looked at yet.
  if v_old.followed < v_old.horizon then
    select * into v_from_at, v_to_at from log.written_between(v_old.epoch, v_old.followed, v_old.horizon);
    perform ledger.link(v_old.epoch, v_old.followed, v_old.horizon,
      v_from_at[1], v_to_at[1], v_from_at[2], v_to_at[2], v_at);
    get diagnostics v_noticed = row_count;
    perform ledger.note_gaps(v_old.epoch, v_old.followed, v_old.horizon, v_from_at[1], v_to_at[1], v_at);
    get diagnostics v_rows = row_count;
    if v_noticed + v_rows > 0 then update log.state set noticed = pg_current_xact_id(); end if;
  end if;

  select * into v_from_at, v_to_at from log.written_between(v_old.epoch, v_old.horizon, '18446744073709551615');
  execute
    'with moved as materialized (
       select *, ($6::text::numeric + new_ord / $7)::text::xid8 as new_xid from (
         select source, xid, ord, row_number() over (order by xid, ord, source) - 1 as new_ord
         from log.unplaced($1, $2, ''18446744073709551615'', $3, $4)) as u
     ), key as (
       update ledger.event_key k set epoch = $5, xid = m.new_xid, ord = m.new_ord
       from moved m join ledger.user_action a on a.epoch = $1 and a.xid = m.xid and a.ord = m.ord
       where m.source = ''a'' and k.event_id = a.event_id and k.record_id = a.record_id'
    || string_agg(format(
      '), %2$I as (
       update %1$s t set epoch = $5, xid = m.new_xid, ord = m.new_ord
       from moved m where m.source = %2$L and t.epoch = $1 and t.xid = m.xid and t.ord = m.ord', name, source), '')
    || ') insert into log.written (epoch, xid, source, records, from_at, to_at)
       select $5, m.new_xid, s.source, count(*), $3[s.nth], $4[s.nth]
       from moved m join unnest(''{a,f,l,g,c,t,w,d,r,x,h,u,p,e,s}''::"char"[]) with ordinality as s (source, nth)
         on s.source = m.source group by m.new_xid, s.source, s.nth'
    from (values
      ('a', 'ledger.user_action'), ('f', 'ledger.fill_report'), ('l', 'ledger.fill_link'), ('g', 'ledger.session_gap'),
      ('c', 'auditor.parameter_change'), ('t', 'auditor.ticket_recheck'), ('w', 'auditor.confirmation'),
      ('d', 'auditor.config_drift'), ('r', 'log.recovery'), ('x', 'ledger.conflict'),
      ('h', 'maintenance.legal_hold'), ('u', 'maintenance.legal_hold_release'), ('p', 'maintenance.purge_run'),
      ('e', 'maintenance.purge_end'), ('s', 'ledger.erasure')) as t (source, name)
    using v_old.epoch, v_old.horizon, v_from_at, v_to_at, v_epoch, v_first, v_each;
  delete from log.written where epoch <> v_epoch;
  insert into log.epoch (epoch, began_at, why, previous_epoch, previous_position, brought_along)
    select v_epoch, v_at, p_why, v_old.epoch, v_old.next_position - 1, coalesce(sum(records), 0)
    from log.written where xid < pg_current_xact_id();
  perform set_config('governance.maintenance', 'off', true);
end $$;

-- Begins a new epoch after a promotion, and only then: the service's replicas ask for it when they see one. After a
-- restore somebody has to say that this is the database to go on with.
create function log.go_on() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_state log.state;
begin
  select * into strict v_state from log.state;
  if log.moved(v_state) = 'promoted' then perform log.begin_epoch(v_state.epoch, 'promoted'); end if;
end $$;
grant execute on function log.go_on() to governance_writer;

-- As before, but for where it was written.
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
  case log.moved(v_state)
    when 'restored' then
      raise exception 'the log''s database was restored: a new epoch has to begin' using errcode = 'GV001';
    when 'promoted' then
      raise exception 'the log''s database was promoted: a new epoch has to begin' using errcode = 'GV003';
    else null;
  end case;
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
