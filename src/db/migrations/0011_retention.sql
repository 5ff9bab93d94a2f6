-- Where detached months wait to be dropped: out of everybody's reach but the owner's.
create schema purged authorization governance_owner;

set local role governance_owner;

-- Every retain_days that was ever in force, each until the next one of its bot (R1: raising it extends
-- old records, lowering it never shortens one). In the order of seq.
create table maintenance.retain_days (
  seq bigint generated always as identity primary key,
  bot text collate "C" not null,
  days int not null check (days > 0),
  since timestamptz not null
);
select maintenance.make_append_only('maintenance.retain_days');
grant select on maintenance.retain_days to governance_writer;

-- Notes that p_days is in force for the bot from p_at on; does nothing when it is already.
create function maintenance.note_retain_days(p_bot text, p_days int, p_at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('governance.retain_days', 0));
  if p_days is distinct from (
    select days from maintenance.retain_days where bot = p_bot order by seq desc limit 1
  ) then
    insert into maintenance.retain_days (bot, days, since) values (p_bot, p_days, p_at);
  end if;
end $$;
grant execute on function maintenance.note_retain_days to governance_writer;

-- Legal holds: a row when one is placed, a row when it is released. kind: 'a' user activity, 'c'
-- parameter changes. wallet is in lower case, and null where the hold names what stands for a scrubbed
-- one; identity is what stands for it. bot_key and param_key are the names as they compare (R24).
create table maintenance.legal_hold (
  seq bigint generated always as identity unique,
  hold_id text collate "C" primary key,
  kind "char" not null check (kind in ('a', 'c')),
  wallet text collate "C",
  identity text collate "C",
  session_id text collate "C",
  bot_slug text collate "C",
  param_name text collate "C",
  bot_key text collate "C",
  param_key text collate "C",
  from_at timestamptz,
  to_at timestamptz,
  reason text collate "C" not null,
  placed_by text collate "C" not null,
  placed_at timestamptz not null,
  check (num_nonnulls(identity, session_id, bot_slug, param_name, from_at, to_at) > 0)
);
create table maintenance.legal_hold_release (
  hold_id text collate "C" primary key references maintenance.legal_hold,
  reason text collate "C" not null,
  released_by text collate "C" not null,
  released_at timestamptz not null
);
select maintenance.make_append_only(t)
  from unnest(array['maintenance.legal_hold', 'maintenance.legal_hold_release']::regclass[]) t;
create view maintenance.hold_in_force as
  select h.* from maintenance.legal_hold h
  where not exists (select from maintenance.legal_hold_release r where r.hold_id = h.hold_id);
grant select on maintenance.legal_hold, maintenance.legal_hold_release, maintenance.hold_in_force
  to governance_writer;

-- Placing a hold waits while the purge takes a month or the scrub rewrites a wallet: what it covers is
-- then either seen by them as held, or was gone before the hold was in force.
create function maintenance.place_hold(
  p_hold_id text, p_kind "char", p_wallet text, p_identity text, p_session_id text, p_bot_slug text,
  p_param_name text, p_bot_key text, p_param_key text, p_from timestamptz, p_to timestamptz, p_reason text,
  p_by text, p_at timestamptz
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('governance.holds', 0));
  insert into maintenance.legal_hold (hold_id, kind, wallet, identity, session_id, bot_slug, param_name,
    bot_key, param_key, from_at, to_at, reason, placed_by, placed_at)
  values (p_hold_id, p_kind,
    -- Of a closed account only what stands for its wallet is written (R11).
    case when exists (select from ledger.closed_wallet where identity = p_identity) then null else p_wallet end,
    p_identity, p_session_id, p_bot_slug, p_param_name, p_bot_key,
    p_param_key, p_from, p_to, p_reason, p_by, p_at)
  on conflict (hold_id) do nothing;
end $$;
grant execute on function maintenance.place_hold to governance_writer;

-- Ends a hold; the first release stands. Does nothing for a hold that is not there.
create function maintenance.release_hold(p_hold_id text, p_reason text, p_by text, p_at timestamptz) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into maintenance.legal_hold_release (hold_id, reason, released_by, released_at)
  select p_hold_id, p_reason, p_by, p_at
  where exists (select from maintenance.legal_hold where hold_id = p_hold_id)
  on conflict (hold_id) do nothing
$$;
grant execute on function maintenance.release_hold to governance_writer;

-- Each run of the purge, what it did step by step, and its end. A run without an end is under way, or its
-- replica died; the next one goes on.
create table maintenance.purge_run (
  seq bigint generated always as identity unique,
  run_id text collate "C" primary key,
  started_at timestamptz not null,
  started_by text collate "C" not null
);
create table maintenance.purge_step (
  run_id text collate "C" not null references maintenance.purge_run,
  seq bigint generated always as identity,
  at timestamptz not null,
  table_name text collate "C" not null,
  month date not null,
  action text not null check (action in ('DETACHED', 'DROPPED', 'KEPT')),
  records bigint not null,
  held_records bigint not null,
  retained_until date not null,
  primary key (run_id, seq)
);
create table maintenance.purge_end (
  run_id text collate "C" primary key references maintenance.purge_run,
  ended_at timestamptz not null
);

-- Months out of reach, by the name they have in the schema purged, and what became of them: 'missing' is
-- one that somebody took from there by hand.
create table maintenance.detached_partition (
  name text collate "C" primary key,
  run_id text collate "C" not null references maintenance.purge_run,
  table_name text collate "C" not null,
  month date not null,
  records bigint not null,
  retained_until date not null,
  detached_at timestamptz not null
);
create table maintenance.dropped_partition (
  name text collate "C" primary key references maintenance.detached_partition,
  run_id text collate "C" not null references maintenance.purge_run,
  outcome text not null check (outcome in ('dropped', 'missing')),
  dropped_at timestamptz not null
);

-- Moves a detached partition out of reach, and answers its name there. The same month may come again within
-- the week, with what was held at first or was put back: names carry the transaction, those of the indexes too.
create function maintenance.move_out(p_partition regclass) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_index oid;
  v_name text;
  v_plain text;
begin
  for v_index in select indexrelid from pg_index where indrelid = p_partition loop
    execute format('alter index %s rename to %I', v_index::regclass, format('index_%s_%s', v_index, pg_current_xact_id()));
  end loop;
  select c.relname, format('%s_%s_%s', n.nspname, c.relname, pg_current_xact_id()) into v_plain, v_name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = p_partition;
  execute format('alter table %s set schema purged', p_partition);
  execute format('alter table purged.%I rename to %I', v_plain, v_name);
  return v_name;
end $$;

-- What took records out of the log's readers' sight or changed them, in commit order. Whoever reads the
-- log in pieces compares: rewrite_mark() before the first, the highest seq after the last.
create table maintenance.rewrite (
  seq bigint generated always as identity primary key,
  kind text not null check (kind in ('purge', 'scrub')),
  what text not null,
  month date,
  identity text collate "C",
  at timestamptz not null default clock_timestamp()
);
select maintenance.make_append_only(t) from unnest(array[
  'maintenance.purge_run', 'maintenance.purge_step', 'maintenance.purge_end',
  'maintenance.detached_partition', 'maintenance.dropped_partition', 'maintenance.rewrite']::regclass[]) t;
grant select on maintenance.purge_run, maintenance.purge_step, maintenance.purge_end,
  maintenance.detached_partition, maintenance.dropped_partition, maintenance.rewrite to governance_writer;

-- The lock, kept to the caller's commit, makes seq follow commit order: a reader that has seen one row has
-- seen all with lower numbers.
create function maintenance.note_rewrite(p_kind text, p_what text, p_month date, p_identity text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('governance.rewrite', 0));
  insert into maintenance.rewrite (kind, what, month, identity) values (p_kind, p_what, p_month, p_identity);
end $$;

-- The highest seq, for a reader that is about to begin; null while a month is just going out of sight, a
-- matter of milliseconds: ask again. DETACH CONCURRENTLY cannot be in one transaction with a row here, so
-- the row "detaching …" stands before it, and a reader that began in between would compare with that row
-- and never learn that the month went. (716351, 11) is the lock that a run of the purge holds.
create function maintenance.rewrite_mark() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_mark bigint := coalesce((select max(seq) from maintenance.rewrite), 0);
  v_last maintenance.rewrite;
begin
  select * into v_last from maintenance.rewrite where kind = 'purge' and seq <= v_mark order by seq desc limit 1;
  if v_last.what like 'detaching %'
    and exists (select from pg_locks where locktype = 'advisory' and granted and classid = 716351 and objid = 11
      and objsubid = 2 and database = (select oid from pg_database where datname = current_database()))
    and exists (select from pg_inherits where not inhdetachpending
      and inhrelid = to_regclass(replace(v_last.what, 'detaching ', '') || to_char(v_last.month, '_YYYY_MM'))) then
    return null;
  end if;
  return v_mark;
end $$;
grant execute on function maintenance.rewrite_mark to governance_writer;

reset role;
