-- Three roles. governance_owner owns every table and function and cannot log in; governance_writer is
-- what the service's login role is a member of: it may insert and select. Roles belong to the whole
-- cluster, so two databases of one cluster may race to create them.
do $$ begin
  create role governance_owner nologin;
exception when duplicate_object or unique_violation then null; end $$;
do $$ begin
  create role governance_writer nologin;
exception when duplicate_object or unique_violation then null; end $$;
do $$ begin
  execute format('grant governance_owner to %I', current_user);
exception when unique_violation then null; end $$;

create schema ledger authorization governance_owner;
create schema auditor authorization governance_owner;
create schema log authorization governance_owner;
create schema access authorization governance_owner;
create schema maintenance authorization governance_owner;

set local role governance_owner;
alter default privileges for role governance_owner revoke execute on functions from public;
grant usage on schema ledger, auditor, log, access, maintenance to governance_writer;

-- Refuses what rewrites history. The owner alone gets past it, and only with the setting that the
-- purge and the scrub turn on for their own transaction: a hand at a prompt does not do it by mistake.
create function maintenance.refuse_rewrite() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if current_user = 'governance_owner' and current_setting('governance.maintenance', true) = 'on' then
    return coalesce(new, old);
  end if;
  raise exception '% on %.% is refused: its rows are append-only', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

create function maintenance.refuse_truncate() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'TRUNCATE of %.% is refused: its rows are append-only', tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

-- Puts both triggers on a table. ENABLE ALWAYS holds in replica mode too.
create function maintenance.make_append_only(p_table regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('create trigger append_only before update or delete on %s
                  for each row execute function maintenance.refuse_rewrite()', p_table);
  execute format('alter table %s enable always trigger append_only', p_table);
  execute format('create trigger no_truncate before truncate on %s
                  for each statement execute function maintenance.refuse_truncate()', p_table);
  execute format('alter table %s enable always trigger no_truncate', p_table);
end $$;

-- A ULID (R14) for a record that the database itself makes: its time in milliseconds and 80 random bits.
create function maintenance.ulid(p_at timestamptz) returns text
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
  v_digits constant text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  v_ms bigint := floor(extract(epoch from p_at) * 1000);
  -- Hashed, as six bits of a random UUID are not random.
  v_random bytea := sha256(uuid_send(gen_random_uuid()));
  v_ulid text := '';
begin
  for i in reverse 9..0 loop
    v_ulid := v_ulid || substr(v_digits, ((v_ms >> (5 * i)) & 31)::int + 1, 1);
  end loop;
  for i in 0..15 loop
    v_ulid := v_ulid || substr(v_digits, (get_byte(v_random, i) & 31) + 1, 1);
  end loop;
  return v_ulid;
end $$;

-- The last UTC day on which a record that the database itself makes is certainly kept (R1): the later of
-- 2555 days on and the same calendar date seven years on (29 February: 1 March). A longer retain_days is
-- honoured by the purge.
create function maintenance.retained_until(p_at timestamptz) returns date
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select greatest(
    d + 2555,
    (d + interval '7 years')::date + (extract(month from d) = 2 and extract(day from d) = 29)::int
  ) from (select (p_at at time zone 'UTC')::date as d) as day
$$;

-- The log's own state: one row. Everything whose transaction is below the horizon has its position, and
-- what follows from it (links, gaps) is on record for everything below `followed`; the last transaction
-- that put any of it on record is `noticed`.
create table log.state (
  only_row boolean primary key default true check (only_row),
  epoch int not null,
  next_position bigint not null,
  horizon xid8 not null,
  followed xid8 not null,
  noticed xid8 not null default '0',
  system_identifier bigint not null
);
insert into log.state (epoch, next_position, horizon, followed, system_identifier)
  select 1, 1, pg_snapshot_xmin(pg_current_snapshot()), pg_snapshot_xmin(pg_current_snapshot()), system_identifier
  from pg_control_system();
grant select on log.state to governance_writer;

-- The epoch rows are written under: which life of the cluster their transaction ids belong to.
create function log.current_epoch() returns int
language sql stable set search_path = pg_catalog, pg_temp as 'select epoch from log.state';
grant execute on function log.current_epoch() to governance_writer;

-- One entry for each committed record of either bot: its place in commit order. source: 'a' a user
-- action, 'f' an execution report, 'l' a link of a fill to an action, 'g' a gap in a session, 'c' a
-- parameter change, 'w' what became of one, 'd' a drift of a live value. (epoch, xid, ord, source) names the
-- record and sorts like position.
create table log.entry (
  epoch int not null,
  position bigint not null,
  source "char" not null,
  ord int not null,
  xid xid8 not null,
  accepted_at timestamptz not null,
  primary key (epoch, position),
  unique (epoch, xid, ord, source)
);
grant select on log.entry to governance_writer;
select maintenance.make_append_only('log.entry');

-- One row for each statement that wrote records of a kind: whose transaction, how many, and between which
-- times their partitions lie. It tells log.advance and log.follow that there is something to do, and into
-- which months to look: without it every step would look into all of them. Taken away once followed.
create table log.written (
  epoch int not null,
  xid xid8 not null default pg_current_xact_id(),
  source "char" not null,
  records int not null,
  from_at timestamptz not null,
  to_at timestamptz not null
);
create index written_order on log.written (xid);

-- Makes a table of records a source of the log: whatever inserts into it is noticed, by a trigger, so that
-- no writer can forget to say so. p_time: the column that the table is partitioned by.
create function log.make_source(p_table regclass, p_source "char", p_time name) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $make$
declare
  v_function text := format('log.%I', replace(p_table::text, '.', '_') || '_written');
begin
  execute format(
    'create function %1$s() returns trigger
     language plpgsql security definer set search_path = pg_catalog, pg_temp as $$ begin
       insert into log.written (epoch, source, records, from_at, to_at)
         select log.current_epoch(), %2$L, count(*), min(%3$I), max(%3$I) from added having count(*) > 0;
       return null;
     end $$', v_function, p_source, p_time);
  execute format('create trigger written after insert on %s referencing new table as added
                  for each statement execute function %s()', p_table, v_function);
  execute format('alter table %s enable always trigger written', p_table);
end $make$;

reset role;
